#include "models/largest.h"

#include <mereo/train.h>

#include <algorithm>
#include <numeric>

namespace mereo {

namespace {

std::string describe(const InputShape& s) {
  const std::string text = std::to_string(s.height) + "x" + std::to_string(s.width) + "x" +
                           std::to_string(s.channels) + ", " + std::to_string(s.classes) +
                           " classes";
  return s.labels_per_image == 1 ? text
                                 : text + ", " + std::to_string(s.labels_per_image) + " at a time";
}

/// Predicts the classes of a batch; returns its loss.
double judge(Model& model, Tape& tape, const Batch& batch, std::vector<std::int32_t>& predicted) {
  tape.reset();
  const Outputs outputs =
      model.forward(tape, batch.images, batch.labels, Mode::evaluation, 1, {batch.targets});
  predictions(outputs.scores, predicted, model.input().labels_per_image);
  return double(outputs.loss.item());
}

/// Targets (B, L, H, W, C) as one crop has them, none if there are none.
Tensor crop_targets(const Tensor& targets, const View& view, const CropOffset& offset) {
  if (targets.empty())
    return {};
  const Shape& s = targets.shape();
  const Tensor seen =
      apply_view(targets.reshape({s[0] * s[1], s[2], s[3], s[4]}), {.crop = view.crop}, offset);
  return seen.reshape({s[0], s[1], view.seen(s[2]), view.seen(s[3]), s[4]});
}

/// The same, through several crops of the whole pictures in the batch.
double judge_crops(Model& model, Tape& tape, const Batch& batch, const EvaluationOptions& options,
                   std::vector<std::int32_t>& predicted) {
  const std::int64_t B = std::ssize(batch.indices), classes = model.input().classes;
  std::vector<double> sums(std::size_t(B * classes));
  double loss = 0;
  for (const CropOffset& crop : options.crops) {
    tape.reset();
    const Tensor images = apply_view(batch.images, options.view, crop);
    const Outputs outputs = model.forward(tape, images, batch.labels, Mode::evaluation, 1,
                                          {crop_targets(batch.targets, options.view, crop)});
    for (std::int64_t b = 0; b < B; ++b) {
      const real* scores = outputs.scores.data() + b * classes;
      const double all = std::accumulate(scores, scores + classes, 0.0);
      for (std::int64_t k = 0; k < classes && all > 0; ++k)
        sums[std::size_t(b * classes + k)] += scores[k] / all;
    }
    loss += double(outputs.loss.item());
  }
  predicted.clear();
  for (std::int64_t b = 0; b < B; ++b)
    append_largest(sums.data() + b * classes, classes, model.input().labels_per_image, predicted);
  return loss / double(options.crops.size());
}

} // namespace

void check_fits(const InputShape& input, const Dataset& data, const View& view) {
  const InputShape seen{view.seen(data.height), view.seen(data.width), data.channels, data.classes,
                        data.labels_per_image};
  if (input == seen)
    return;
  throw Error("data set " + data.name, "the pictures do not fit the model",
              "data " + describe(seen) + "; model " + describe(input),
              "use the kind of data that the model was trained on");
}

Evaluation evaluate(Model& model, const Dataset& data, const EvaluationOptions& options) {
  data.check();
  check_fits(model.input(), data, options.view);
  std::vector<std::int64_t> indices(options.indices.begin(), options.indices.end());
  if (indices.empty())
    indices = all_indices(data.count);
  Tape own;
  Tape& tape = options.tape ? *options.tape : own;
  // Several crops are cut from whole pictures.
  Loader loader(data, indices,
                {.batch = options.batch,
                 .shuffle = false,
                 .view = options.crops.empty() ? options.view : View{},
                 .augment = false});

  Evaluation result;
  result.classes = data.classes;
  result.labels_per_image = data.labels_per_image;
  result.confusion.resize(std::size_t(data.classes * data.classes));
  double loss = 0;
  Batch batch;
  std::vector<std::int32_t> predicted;
  while (loader.next(batch)) {
    const double mean = options.crops.empty() ? judge(model, tape, batch, predicted)
                                              : judge_crops(model, tape, batch, options, predicted);
    match_labels(predicted, batch.labels, data.labels_per_image);
    result.wrong += count_wrong(predicted, batch.labels, data.labels_per_image);
    for (std::size_t i = 0; i < predicted.size(); ++i)
      ++result.confusion[std::size_t(batch.labels[i] * data.classes + predicted[i])];
    result.count += std::ssize(batch.indices);
    loss += mean * double(batch.indices.size());
    if (!options.listener)
      continue;
    options.listener->evaluated(result.count, loader.samples());
    if (options.listener->stop())
      break;
  }
  result.loss = loss / double(result.count);
  return result;
}

} // namespace mereo
