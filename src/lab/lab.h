// Where experiments have their networks trained and measured, or taken from an earlier run.
#pragma once

#include "lab/curves.h"

#include <mereo/train.h>

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mereo::lab {

/// small: all experiments with three seeds in some three hours on two cores. full: the networks of
/// the papers and all of the data.
enum class Budget { small, full };

struct LabOptions {
  Budget budget = Budget::small;
  std::int64_t seeds = 3; // 1, 2, ..., seeds
  std::string data_dir = "data", folder = "runs/lab";
  /// Epochs, and pictures of a training and of a test set; 0: as the budget says.
  std::int64_t epochs = 0, train_limit = 0, test_limit = 0;
};

/// Hears how an experiment goes.
class LabListener : public TrainListener {
public:
  /// What is told from here on is about this network.
  virtual void network(const std::string& /*name*/, const std::string& /*data*/,
                       std::uint64_t /*seed*/) {}
};

/// The listener asked for an end: what was trained is saved.
struct Stopped : std::exception {
  const char* what() const noexcept override { return "stopped"; }
};

/// A network and how it is trained.
struct Network {
  std::string name; // of its run folder
  std::string model;
  Fields config = {}; // all but the shape of the pictures, which the data says
  /// Directory, seed and validation (there is none) are the lab's to say.
  TrainOptions options = {};
};

/// Measures a network, which sees pictures like this. It may stop early when the listener asks to
/// stop: the result is not used then.
using Judge = std::function<Values(Model& model, const View& view)>;

/// A trained network, and what its judge found on the way there: in the order of steps, the last of
/// them of the network as it is.
struct Trained {
  std::unique_ptr<Model> model;
  View view;
  Curve judgements;
  std::string folder;

  /// Of the trained network.
  double operator[](const std::string& name) const { return judgements.back().values.at(name); }
};

class Lab {
public:
  Lab(const LabOptions& options, LabListener& listener);

  const LabOptions& options() const { return options_; }
  bool small() const { return options_.budget == Budget::small; }
  LabListener& listener() { return listener_; }
  /// 1 to options().seeds.
  std::vector<std::uint64_t> seeds() const;

  /// A data set; of a large one so many pictures, each class having its share, always the same. 0:
  /// all. The options' limits go before.
  Dataset data(const std::string& name, Split split, std::int64_t limit = 0,
               const PictureOptions& pictures = {}) const;

  /// Trains a network in a run folder of its own, FOLDER/BUDGET/DATA/NAME-SEED, continuing what was
  /// interrupted there; one that is finished is not trained again. Every so many steps, and at the
  /// end, the judge measures it, which judged.jsonl in the run folder remembers; 0: only at the
  /// end. Throws Stopped, and what train() throws.
  Trained train(const Network& network, std::uint64_t seed, const Dataset& data, const Judge& judge,
                std::int64_t judge_steps = 0);

  /// More that is measured of a trained network, which NAME.jsonl in its run folder remembers.
  /// Throws Stopped when the listener asks to stop.
  Values measure(const Trained& trained, const std::string& name,
                 const std::function<Values()>& measure);

  /// The same of a network that `measure` trains itself, by so many steps, in a run folder like
  /// those of train(), which it is told.
  Values measure(const std::string& network, std::uint64_t seed, const std::string& data,
                 std::int64_t steps, const std::function<Values(const std::string&)>& measure);

  /// Seconds of training and judging that went into the networks asked for, earlier runs' included.
  double seconds() const { return seconds_; }

private:
  std::string run_folder(const std::string& network, std::uint64_t seed,
                         const std::string& data) const;
  Values remember(const std::string& path, std::int64_t step,
                  const std::function<Values()>& measure);

  LabOptions options_;
  LabListener& listener_;
  double seconds_ = 0;
};

/// Per cent of the pictures that are misjudged; of some of them when the lab's listener asks to
/// stop.
double error_percent(Lab& lab, Model& model, const View& view, const Dataset& data);

} // namespace mereo::lab
