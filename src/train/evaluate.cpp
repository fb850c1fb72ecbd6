#include <mereo/train.h>

#include <algorithm>
#include <numeric>

namespace mereo {

namespace {

std::string describe(std::int64_t height, std::int64_t width, std::int64_t channels,
                     std::int64_t classes) {
  return std::to_string(height) + "x" + std::to_string(width) + "x" + std::to_string(channels) +
         ", " + std::to_string(classes) + " classes";
}

/// Predicts the classes of a batch; returns its loss.
double judge(Model& model, Tape& tape, const Batch& batch, std::vector<std::int32_t>& predicted) {
  tape.reset();
  const Outputs outputs = model.forward(tape, batch.images, batch.labels, Mode::evaluation);
  predictions(outputs.scores, predicted);
  return double(outputs.loss.item());
}

/// The same, through several crops of the whole pictures in the batch.
double judge_crops(Model& model, Tape& tape, const Batch& batch, const EvaluationOptions& options,
                   std::vector<std::int32_t>& predicted) {
  const std::int64_t B = std::ssize(batch.labels), classes = model.input().classes;
  std::vector<double> sums(std::size_t(B * classes));
  double loss = 0;
  for (const CropOffset& crop : options.crops) {
    tape.reset();
    const Tensor images = apply_view(batch.images, options.view, crop);
    const Outputs outputs = model.forward(tape, images, batch.labels, Mode::evaluation);
    for (std::int64_t b = 0; b < B; ++b) {
      const real* scores = outputs.scores.data() + b * classes;
      const double all = std::accumulate(scores, scores + classes, 0.0);
      for (std::int64_t k = 0; k < classes && all > 0; ++k)
        sums[std::size_t(b * classes + k)] += scores[k] / all;
    }
    loss += double(outputs.loss.item());
  }
  predicted.clear();
  for (auto row = sums.begin(); row != sums.end(); row += classes)
    predicted.push_back(std::int32_t(std::max_element(row, row + classes) - row));
  return loss / double(options.crops.size());
}

} // namespace

void check_fits(const InputShape& input, const Dataset& data, const View& view) {
  const std::int64_t height = view.seen(data.height), width = view.seen(data.width);
  if (input == InputShape{height, width, data.channels, data.classes})
    return;
  throw Error("data set " + data.name, "the pictures do not fit the model",
              "data " + describe(height, width, data.channels, data.classes) + "; model " +
                  describe(input.height, input.width, input.channels, input.classes),
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
  result.confusion.resize(std::size_t(data.classes * data.classes));
  double loss = 0;
  Batch batch;
  std::vector<std::int32_t> predicted;
  while (loader.next(batch)) {
    const double mean = options.crops.empty() ? judge(model, tape, batch, predicted)
                                              : judge_crops(model, tape, batch, options, predicted);
    for (std::size_t i = 0; i < predicted.size(); ++i) {
      result.wrong += predicted[i] != batch.labels[i];
      ++result.confusion[std::size_t(batch.labels[i] * data.classes + predicted[i])];
    }
    result.count += std::int64_t(predicted.size());
    loss += mean * double(predicted.size());
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
