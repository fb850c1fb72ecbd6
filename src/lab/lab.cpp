#include "lab/lab.h"

#include "io/file.h"
#include "train/fields.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

namespace mereo::lab {

namespace {

/// The chosen pictures of a data set.
Dataset chosen(const Dataset& data, const std::vector<std::int64_t>& indices) {
  Dataset part = data;
  part.count = std::int64_t(indices.size());
  part.pixels.clear();
  part.labels.clear();
  part.viewpoints.clear();
  for (const std::int64_t i : indices) {
    const auto first = data.pixels.begin() + i * data.image_size();
    part.pixels.insert(part.pixels.end(), first, first + data.image_size());
    part.labels.push_back(data.labels[std::size_t(i)]);
    if (!data.viewpoints.empty())
      part.viewpoints.push_back(data.viewpoints[std::size_t(i)]);
  }
  return part;
}

/// The network of a run's data, with its seed.
std::unique_ptr<Model> make(const Network& network, const Dataset& data, const View& view,
                            std::uint64_t seed) {
  Fields config = network.config;
  config.emplace_back("height", view.seen(data.height));
  config.emplace_back("width", view.seen(data.width));
  config.emplace_back("channels", data.channels);
  config.emplace_back("classes", data.classes);
  if (data.labels_per_image > 1) // networks that know of one alone have no such key
    config.emplace_back("labels_per_image", data.labels_per_image);
  return make_model(network.model, to_json(config), seed);
}

/// A file of a run folder with a line for every time that something was measured. Lines about
/// another number of test pictures are none of ours.
class Memory {
public:
  Memory(const std::string& path, std::int64_t test_limit) : path_(path), test_limit_(test_limit) {
    for (const Fields& line : read_json_lines(path)) {
      if (whole_field(line, "test_limit") != test_limit)
        continue;
      Judgement judgement{whole_field(line, "step"), {}};
      for (const auto& [name, value] : line)
        if (name != "step" && name != "test_limit")
          judgement.values[name] = number_field(line, name.c_str());
      judgements_.push_back(std::move(judgement));
    }
  }

  /// What was measured after this step, now if it was not before (it may have been in a run that is
  /// continued from an earlier checkpoint), with the "seconds" that it took. Nothing when the
  /// listener asks to stop.
  Values recall(std::int64_t step, TrainListener& listener,
                const std::function<Values()>& measure) {
    const auto known = std::ranges::find(judgements_, step, &Judgement::step);
    if (known != judgements_.end())
      return known->values;
    const auto start = std::chrono::steady_clock::now();
    Values values = measure();
    if (listener.stop())
      return {};
    values["seconds"] =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    Fields line = {{"step", step}, {"test_limit", test_limit_}};
    for (const auto& [name, value] : values)
      line.emplace_back(name, value);
    append_json_line(path_, line);
    judgements_.push_back({step, values});
    return values;
  }

  Curve sorted() {
    std::ranges::sort(judgements_, {}, &Judgement::step);
    return judgements_;
  }

private:
  std::string path_;
  std::int64_t test_limit_;
  Curve judgements_;
};

/// Asks the judge in the course of training; all else is the lab's listener's.
class Watcher : public TrainListener {
public:
  Watcher(LabListener& listener, Memory& memory, Model& model, const View& view, const Judge& judge,
          std::int64_t every)
      : listener_(listener), memory_(memory), model_(model), view_(view), judge_(judge),
        every_(every) {}

  void started(const TrainStart& start) override {
    listener_.started(start);
    // A run that was stopped while the judge was at work is saved after that very step.
    if (start.first_step > 0 && every_ > 0 && start.first_step % every_ == 0) {
      judge(start.first_step);
      if (listener_.stop())
        throw Stopped(); // before another step is taken
    }
  }
  void stepped(const TrainProgress& progress) override {
    listener_.stepped(progress);
    if (every_ > 0 && progress.step % every_ == 0)
      judge(progress.step);
  }
  void evaluated(std::int64_t done, std::int64_t count) override {
    listener_.evaluated(done, count);
  }
  void epoch_finished(const EpochResult& epoch) override { listener_.epoch_finished(epoch); }
  void checkpoint_saved(const std::string& path) override { listener_.checkpoint_saved(path); }
  bool stop() override { return listener_.stop(); }

  void judge(std::int64_t step) {
    memory_.recall(step, listener_, [&] { return judge_(model_, view_); });
  }

private:
  LabListener& listener_;
  Memory& memory_;
  Model& model_;
  const View& view_;
  const Judge& judge_;
  std::int64_t every_;
};

} // namespace

Lab::Lab(const LabOptions& options, LabListener& listener)
    : options_(options), listener_(listener) {
  if (options.seeds < 1)
    throw Error("lab", "there must be a seed at least", std::to_string(options.seeds));
}

std::vector<std::uint64_t> Lab::seeds() const {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t seed = 1; seed <= options_.seeds; ++seed)
    seeds.push_back(std::uint64_t(seed));
  return seeds;
}

std::string Lab::run_folder(const std::string& network, std::uint64_t seed,
                            const std::string& data) const {
  return options_.folder + "/" + (small() ? "small/" : "full/") + data + "/" + network + "-" +
         std::to_string(seed);
}

Dataset Lab::data(const std::string& name, Split split, std::int64_t limit,
                  const PictureOptions& pictures) const {
  const std::int64_t asked = split == Split::train ? options_.train_limit : options_.test_limit;
  if (asked > 0)
    limit = asked;
  Dataset data = load_dataset(name, split, options_.data_dir, pictures);
  if (limit <= 0 || limit >= data.count)
    return data;
  return chosen(data, carve_validation(data.labels, limit, 1).validation);
}

Trained Lab::train(const Network& network, std::uint64_t seed, const Dataset& data,
                   const Judge& judge, std::int64_t judge_steps) {
  TrainOptions options = network.options;
  options.seed = seed;
  options.validation = 0;
  options.directory = run_folder(network.name, seed, data.name);
  options.resume = std::filesystem::exists(options.directory + "/last.safetensors");
  if (options_.epochs > 0)
    options.epochs = options_.epochs;

  Trained trained{
      make(network, data, options.view, seed), options.view.still(), {}, options.directory};
  listener_.network(network.name, data.name, seed);
  Memory memory(options.directory + "/judged.jsonl", options_.test_limit);
  Watcher watcher(listener_, memory, *trained.model, trained.view, judge, judge_steps);
  const TrainResult result = mereo::train(*trained.model, data, options, watcher);
  if (result.stopped)
    throw Stopped();
  watcher.judge(result.steps);
  if (listener_.stop())
    throw Stopped();
  trained.judgements = memory.sorted();
  const auto on_the_way = std::ranges::count_if(
      trained.judgements, [&](const Judgement& j) { return j.step < result.steps; });
  if (judge_steps > 0 && on_the_way < (result.steps - 1) / judge_steps)
    throw Error(options.directory, "this network was not judged by these pictures on its way",
                std::to_string(on_the_way) + " of " +
                    std::to_string((result.steps - 1) / judge_steps) + " times",
                "ask for the test pictures of before, or choose another folder");
  seconds_ += result.seconds;
  for (const Judgement& judgement : trained.judgements)
    seconds_ += judgement.values.at("seconds");
  return trained;
}

Values Lab::remember(const std::string& path, std::int64_t step,
                     const std::function<Values()>& measure) {
  Memory memory(path, options_.test_limit);
  const Values values = memory.recall(step, listener_, measure);
  if (listener_.stop())
    throw Stopped();
  seconds_ += values.at("seconds");
  return values;
}

Values Lab::measure(const Trained& trained, const std::string& name,
                    const std::function<Values()>& measure) {
  return remember(trained.folder + "/" + name + ".jsonl", trained.judgements.back().step, measure);
}

Values Lab::measure(const std::string& network, std::uint64_t seed, const std::string& data,
                    std::int64_t steps, const std::function<Values(const std::string&)>& measure) {
  listener_.network(network, data, seed);
  const std::string folder = run_folder(network, seed, data);
  make_folder(folder);
  return remember(folder + "/judged.jsonl", steps, [&] { return measure(folder); });
}

double error_percent(Lab& lab, Model& model, const View& view, const Dataset& data) {
  const Evaluation judged = evaluate(model, data, {.view = view, .listener = &lab.listener()});
  return judged.error_percent();
}

} // namespace mereo::lab
