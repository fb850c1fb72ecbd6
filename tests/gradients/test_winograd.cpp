// In double precision the transforms' algebra shows: what remains is rounding, magnified by the
// transforms' constants.
#include "winograd_cases.h"

#include <doctest/doctest.h>

using namespace mereo;
using namespace mereo::winograd_test;

namespace {

double dot(const std::vector<real>& a, const std::vector<real>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += double(a[i]) * double(b[i]);
  return sum;
}

} // namespace

TEST_CASE("Winograd convolution and its gradients are exact but for rounding") {
  for (std::int64_t kernel : {1, 3, 4, 5, 9, 12})
    for (std::int64_t stride : {1, 2, 3})
      for (std::int64_t outputs : {1, 2, 3, 4, 5, 6, 11})
        for (std::int64_t pad : {std::int64_t(0), kernel / 2}) {
          const Case sample(square(2, 14, 3, kernel, 4, stride, pad));
          INFO("kernel ", kernel, ", stride ", stride, ", pad ", pad, ", m ", outputs);
          const Results got = winograd(sample, {outputs});
          CHECK(relative_error(got.y, sample.forward()) < 1e-10);
          CHECK(relative_error(got.x, sample.grad_input()) < 1e-10);
          CHECK(relative_error(got.w, sample.grad_weight()) < 1e-10);
        }
}

TEST_CASE("the gradients of the Winograd convolution are its adjoints") {
  for (std::int64_t outputs : {2, 3, 6})
    for (std::int64_t stride : {1, 2}) {
      const Case sample(square(3, 20, 8, 9, 10, stride));
      const Results got = winograd(sample, {outputs});
      const double value = dot(got.y, sample.y);
      CHECK(dot(got.x, sample.x) == doctest::Approx(value).epsilon(1e-9));
      CHECK(dot(got.w, sample.w) == doctest::Approx(value).epsilon(1e-9));
    }
}
