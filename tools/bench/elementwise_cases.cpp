// Kernels whose time goes into moving numbers rather than computing.
#include "cases.h"

#include "core/parallel.h"
#include "kernels/table.h"

#include <mereo/optim.h>

namespace bench {

using namespace mereo;

namespace {

/// body(begin, end) on all threads, `rows` in pieces of about as many elements as fit L1.
template <class Body>
std::function<void()> by_rows(std::int64_t rows, std::int64_t size, Body body) {
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 14) / size);
  return [=] { parallel_chunks(rows, grain, body); };
}

struct Elementwise {
  const char* name;
  std::int64_t rows, size; // per image
  int streams;             // arrays read or written
  void (*body)(std::int64_t rows, std::int64_t size, real* x, real* y, real* z);
};

const Elementwise elementwise[] = {
    {"add", 20 * 20, 256, 3,
     [](std::int64_t rows, std::int64_t size, real* x, real* y, real* z) {
       kernels().elementwise.add(rows * size, x, y, z);
     }},
    {"relu_backward", 20 * 20, 256, 3,
     [](std::int64_t rows, std::int64_t size, real* x, real* y, real* z) {
       kernels().elementwise.relu_backward(rows * size, x, y, z, false);
     }},
    {"sigmoid", 1, 784, 2,
     [](std::int64_t rows, std::int64_t size, real* x, real* y, real*) {
       kernels().elementwise.sigmoid(rows * size, x, y);
     }},
    {"softmax", 1152, 10, 2,
     [](std::int64_t rows, std::int64_t size, real* x, real* y, real*) {
       kernels().elementwise.softmax(rows, size, x, y);
     }},
    {"squash", 1152, 8, 2,
     [](std::int64_t rows, std::int64_t size, real* x, real* y, real*) {
       kernels().elementwise.squash(rows, size, x, y);
     }},
    {"squash_backward", 1152, 8, 3,
     [](std::int64_t rows, std::int64_t size, real* x, real* y, real* z) {
       kernels().elementwise.squash_backward(rows, size, x, y, z, false);
     }},
};

void add_elementwise(std::vector<Case>& all, std::int64_t batch) {
  for (const Elementwise& e : elementwise) {
    const std::int64_t rows = batch * e.rows;
    all.push_back({"elementwise/" + std::string(e.name) + batch_name(batch),
                   {.bytes = double(e.streams * rows * e.size) * sizeof(real)},
                   [=] {
                     const Tensor x = numbers({rows, e.size}), y = numbers({rows, e.size});
                     const Tensor z({rows, e.size});
                     return by_rows(rows, e.size, [=](std::int64_t begin, std::int64_t end) {
                       const std::int64_t at = begin * e.size;
                       e.body(end - begin, e.size, x.data() + at, y.data() + at, z.data() + at);
                     });
                   }});
  }
}

void add_optimizers(std::vector<Case>& all) {
  const std::string size = "/parameters:" + std::to_string(parameter_count);
  const double array = double(parameter_count * std::int64_t(sizeof(real)));
  all.push_back({"optimizer/adam" + size, {.bytes = 7 * array}, [] {
                   const Tensor values = numbers({parameter_count}),
                                gradients = numbers({parameter_count});
                   const std::shared_ptr<Optimizer> optimizer = adam(parameter_count);
                   return [=] { optimizer->step(values.values(), gradients.values(), 1e-3, 1); };
                 }});
  all.push_back({"optimizer/gradient_norm" + size, {.bytes = array}, [] {
                   const Tensor gradients = numbers({parameter_count});
                   return [=] { (void)gradient_norm(gradients.values()); };
                 }});
}

} // namespace

std::vector<Case> elementwise_cases() {
  std::vector<Case> all;
  for (std::int64_t batch : {128, 16, 1})
    add_elementwise(all, batch);
  add_optimizers(all);
  return all;
}

} // namespace bench
