#include <mereo/train.h>

namespace mereo {

namespace {

std::string describe(std::int64_t height, std::int64_t width, std::int64_t channels,
                     std::int64_t classes) {
  return std::to_string(height) + "x" + std::to_string(width) + "x" + std::to_string(channels) +
         ", " + std::to_string(classes) + " classes";
}

} // namespace

void check_fits(const InputShape& input, const Dataset& data) {
  if (input == InputShape{data.height, data.width, data.channels, data.classes})
    return;
  throw Error("data set " + data.name, "the pictures do not fit the model",
              "data " + describe(data.height, data.width, data.channels, data.classes) +
                  "; model " + describe(input.height, input.width, input.channels, input.classes),
              "use the kind of data that the model was trained on");
}

Evaluation evaluate(Model& model, const Dataset& data, const EvaluationOptions& options) {
  data.check();
  check_fits(model.input(), data);
  std::vector<std::int64_t> indices(options.indices.begin(), options.indices.end());
  if (indices.empty())
    indices = all_indices(data.count);
  Tape own;
  Tape& tape = options.tape ? *options.tape : own;
  Loader loader(data, indices, {.batch = options.batch, .shuffle = false});

  Evaluation result;
  result.classes = data.classes;
  result.confusion.resize(std::size_t(data.classes * data.classes));
  double loss = 0;
  Batch batch;
  std::vector<std::int32_t> predicted;
  while (loader.next(batch)) {
    tape.reset();
    const Outputs outputs = model.forward(tape, batch.images, batch.labels, Mode::evaluation);
    predictions(outputs.scores, predicted);
    for (std::size_t i = 0; i < predicted.size(); ++i) {
      result.wrong += predicted[i] != batch.labels[i];
      ++result.confusion[std::size_t(batch.labels[i] * data.classes + predicted[i])];
    }
    result.count += std::int64_t(predicted.size());
    loss += double(outputs.loss.item()) * double(predicted.size());
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
