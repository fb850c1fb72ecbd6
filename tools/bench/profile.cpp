#include "profile.h"

#include "limits.h"
#include "memory_use.h"
#include "models.h"
#include "products.h"
#include "statistics.h"
#include "step_timer.h"
#include "work.h"

#include <mereo/data.h>
#include <mereo/isa.h>

#include <cstdio>
#include <optional>

namespace bench {

using namespace mereo;

namespace {

/// What a convolution's pass does, to time its products alone.
struct Split {
  ConvolutionShape shape;
  Pass pass;
};

struct Row {
  Part part;
  Work work;
  std::optional<Split> split = {};
};

/// The parts of a step in the order in which they come. Bytes are those that have to move.
std::vector<Row> rows(const CapsNetConfig& config, std::int64_t batch) {
  const ConvolutionShape first = conv1_shape(batch), primary = primary_shape(batch);
  const int iterations = config.routing.iterations;
  const auto convolution = [&](const ConvolutionShape& shape) -> Work {
    if (!uses_winograd(config, shape))
      return {.operations = direct_operations(shape)};
    return {.operations = winograd_operations(shape, config.convolution_tile),
            .direct = direct_operations(shape)};
  };
  const auto moved = [](std::int64_t elements) -> Work {
    return {.bytes = double(elements) * sizeof(real)};
  };
  const std::int64_t features = batch * 20 * 20 * 256, capsules = batch * 1152 * 8;
  const double stored = stored_votes_operations(routing_shape, batch, iterations);
  const double dense = decoder_operations(batch);
  return {
      {{"loader", "", "loader", ""}, {}},
      {{"conv1 with ReLU, forward", "conv1", "convolution", "forward"},
       convolution(first),
       Split{first, Pass::forward}},
      {{"primary convolution, forward", "primary", "convolution", "forward"},
       convolution(primary),
       Split{primary, Pass::forward}},
      {{"squash, forward", "primary", "squash", "forward"}, moved(2 * capsules)},
      {{"routing, forward", "classes", "dynamic_routing", "forward"},
       {.operations = routing_forward_operations(routing_shape, batch, iterations),
        .direct = stored}},
      {{"decoder, forward", "decoder", "", "forward"}, {.operations = dense}},
      {{"lengths, mask and losses, both ways", "loss", "", ""}, {}},
      {{"decoder, backward", "decoder", "", ""}, {.operations = 2 * dense}},
      {{"routing, backward", "classes", "dynamic_routing", ""},
       {.operations = routing_backward_operations(routing_shape, batch, iterations),
        .direct = 2 * stored}},
      {{"squash, backward", "primary", "squash", ""}, moved(3 * capsules)},
      {{"primary convolution, bias gradient", "primary", "convolution", ""}, moved(capsules)},
      {{"primary convolution, input gradient", "primary", "convolution", "input"},
       convolution(primary),
       Split{primary, Pass::grad_input}},
      {{"primary convolution, weight gradient", "primary", "convolution", "weight"},
       convolution(primary),
       Split{primary, Pass::grad_weight}},
      {{"conv1, ReLU mask and bias gradient", "conv1", "convolution", ""}, moved(3 * features)},
      {{"conv1, weight gradient", "conv1", "convolution", "weight"},
       convolution(first),
       Split{first, Pass::grad_weight}},
      {{"gradient norm", "", "norm", ""}, moved(parameter_count)},
      {{"Adam", "", "adam", ""}, moved(7 * parameter_count)},
      {{"rest", "", "rest", ""}, {}},
  };
}

// ---- measuring ----------------------------------------------------------------------------------

/// Noise, as many batches as an epoch has before it begins anew.
Dataset made_up(std::int64_t batch) {
  Dataset data{.name = "noise",
               .count = 8 * batch,
               .height = 28,
               .width = 28,
               .channels = 1,
               .classes = 10,
               .pixels = {},
               .labels = {},
               .class_names = std::vector<std::string>(10, "noise")};
  Random random(1);
  for (std::int64_t i = 0; i < data.count * data.image_size(); ++i)
    data.pixels.push_back(std::uint8_t(random.below(256)));
  for (std::int64_t i = 0; i < data.count; ++i)
    data.labels.push_back(std::int32_t(i % 10));
  return data;
}

void step(Training& network, Loader& loader, Batch& batch, StepTimer& timer) {
  timer.begin();
  if (!loader.next(batch)) {
    loader.start_epoch(loader.position().epoch + 1);
    loader.next(batch);
  }
  timer.lap({"", "loader", ""});
  network.forward(batch.images, batch.labels);
  network.backward();
  timer.lap({"", "rest", ""});
  network.check();
  timer.lap({"", "norm", ""});
  network.update();
  timer.lap({"", "adam", ""});
  timer.end();
}

struct Measured {
  StepTimer timer;
  double peak; // right after it
};

/// Steps until there are enough for a median.
Measured measure(const CapsNetConfig& config, std::int64_t batch, const std::vector<Row>& rows) {
  constexpr int warm_up = 4, fewest = 10, most = 300;
  constexpr double enough = 5000; // ms
  const Dataset data = made_up(batch);
  Loader loader(data, all_indices(data.count), {.batch = batch, .view = {.max_shift = 2}});
  Training network(config);
  Batch pictures;
  std::vector<Part> parts;
  for (const Row& row : rows)
    parts.push_back(row.part);
  StepTimer timer(network.parameters(), parts);
  network.tape().observe(&timer);
  for (int i = 0; i < warm_up; ++i)
    step(network, loader, pictures, timer);
  timer.forget();
  double passed = 0;
  for (int i = 0; i < most && (i < fewest || passed < enough); ++i) {
    step(network, loader, pictures, timer);
    passed += timer.steps().back();
  }
  return {std::move(timer), peak_after_work()};
}

/// The median of some runs, in milliseconds.
double products_time(const Split& split, std::int64_t tile) {
  const std::function<void()> work = winograd_products(split.shape, {.outputs = tile}, split.pass);
  work();
  std::vector<double> times;
  for (int i = 0; i < 11; ++i)
    times.push_back(1e3 * best_time(1, work));
  return median(times);
}

// ---- printing -----------------------------------------------------------------------------------

/// A cell, or blanks where there is nothing to tell.
std::string cell(const char* format, double value, bool known) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return known ? text : "";
}

/// What the parts are compared with.
struct Whole {
  double step; // ms
  double peak; // GFLOP/s
};

void print_row(const std::string& name, double time, const Whole& whole, const Work& work) {
  const double amount = work.operations > 0 ? work.operations : work.bytes;
  const double rate = 1e-6 * amount / time;
  const double limit = work.operations > 0 ? whole.peak : bandwidth().best();
  const std::string unit = work.operations > 0 ? " GFLOP/s" : " GB/s";
  const bool known = amount > 0 && time > 0;
  std::printf("| %-37s | %8.3f | %6s | %14s | %8s | %10s |\n", name.c_str(), time,
              cell("%.1f %%", 100 * time / whole.step, true).c_str(),
              known ? (cell("%.1f", rate, true) + unit).c_str() : "",
              cell("%.0f %%", 100 * rate / limit, known).c_str(),
              cell("%.0f", 1e-6 * work.direct / time, work.direct > 0).c_str());
}

void print_split(const CapsNetConfig& config, const Split& split, double time, const Whole& whole) {
  const std::int64_t tile = config.convolution_tile;
  if (!uses_winograd(config, split.shape) || winograd_interleaved(split.shape, tile))
    return;
  const double products = products_time(split, tile);
  print_row("- its products, timed alone", products, whole,
            {.operations = winograd_operations(split.shape, tile)});
  print_row("- its transforms: what remains", time - products, whole,
            {.bytes = winograd_elements(split.shape, tile) * double(sizeof(real))});
}

} // namespace

void profile(const CapsNetConfig& config, std::int64_t batch) {
  const std::vector<Row> table = rows(config, batch);
  forget_peak_memory();
  const auto [timer, peak] = measure(config, batch, table);
  const Whole whole{median(timer.steps()), peak};
  const double memory = peak_memory_mib();
  const bool winograd = uses_winograd(config, primary_shape(batch));
  const std::string method =
      winograd ? "Winograd tile " + std::to_string(config.convolution_tile) : "direct convolutions";
  std::printf("CapsNet's training step, batch %lld, %s, %s, %d threads: median of %zu steps "
              "%.1f ms (%.1f to %.1f),\n%.0f images/s, peak memory %.0f MiB. "
              "Limits: FMA peak at this clock %.0f GFLOP/s, memory %.1f GB/s.\n\n",
              (long long)(batch), method.c_str(), isa().c_str(), threads(), timer.steps().size(),
              whole.step, quantile(timer.steps(), 0), quantile(timer.steps(), 1),
              1e3 * double(batch) / whole.step, memory, whole.peak, bandwidth().best());
  std::printf("| %-37s | %8s | %6s | %14s | %8s | %10s |\n", "part", "ms", "share", "rate",
              "of limit", "as direct");
  std::printf("| ------------------------------------- | -------: | -----: | -------------: | "
              "-------: | ---------: |\n");
  for (std::size_t i = 0; i < table.size(); ++i) {
    const double time = median(timer.times(i));
    print_row(table[i].part.name, time, whole, table[i].work);
    if (table[i].split)
      print_split(config, *table[i].split, time, whole);
  }
  print_row("the step", whole.step, whole, training_work(config, batch));
  std::printf(
      "\nas direct: GFLOP/s that the plain sum, or votes formed once and stored, would have "
      "reached in that time.\n");
}

} // namespace bench
