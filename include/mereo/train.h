// Floor 8: the loop that joins model, data and optimiser; checkpoints; evaluation.
#pragma once

#include <mereo/data.h>
#include <mereo/io.h>
#include <mereo/models.h>
#include <mereo/optim.h>

#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mereo {

struct TrainOptions {
  std::int64_t epochs = 5;
  std::int64_t batch = 128;
  /// Of the order and views of the pictures, and of the choice of those for validation.
  std::uint64_t seed = 1;
  std::string optimizer = "adam";
  /// A cosine without a total ends with the last epoch.
  Schedule schedule = {.kind = Schedule::Kind::cosine, .warmup = 100};
  /// Longest gradient, 0 for no limit.
  double clip = 0;
  /// This times half the sum of squares of all weights, biases left out, is minimised with the
  /// loss, but not told with it.
  double weight_decay = 0;
  /// Steps in which a loss that changes in the course of training (Model::changes_with_progress)
  /// gets to its end; 0 for all of the run.
  double margin_steps = 0;
  /// What the network sees of a picture: see usual_view().
  View view = {.max_shift = 2};
  /// Pictures kept out of training to judge it by; -1 for a twelfth of them, 0 for none.
  std::int64_t validation = -1;

  /// The run folder (see train()); empty to write nothing.
  std::string directory;
  /// Continue the run in that folder.
  bool resume = false;
  /// A checkpoint after this many seconds or steps, besides the one of every epoch; 0 for never.
  double save_seconds = 120;
  std::int64_t save_steps = 0;
  /// A line of history every so many steps, besides the one of every epoch; 0 for never.
  std::int64_t history_steps = 100;
  /// Also write every line of history to an event file that TensorBoard reads.
  bool tensorboard = false;
  /// What else the caller wants in config.json.
  Fields notes;
};

/// Parameters of one layer: those whose names are equal up to the last dot.
struct LayerSize {
  std::string name;
  std::int64_t elements;
};

/// In bytes. Activations are those of one training step, gradients of activations and scratch
/// memory included.
struct MemoryNeed {
  std::int64_t parameters = 0, gradients = 0, optimizer = 0, activations = 0, data = 0;
  std::int64_t total() const { return parameters + gradients + optimizer + activations + data; }
};

struct TrainStart {
  std::string isa;
  int threads;
  std::vector<LayerSize> layers;
  MemoryNeed memory;
  std::int64_t training, validation;    // pictures
  std::int64_t batches, epochs;         // per epoch, in all
  std::int64_t first_epoch, first_step; // where it begins: (0, 0) unless resumed
};

/// After a step. Epochs count from 0, batches and steps are those done.
struct TrainProgress {
  std::int64_t epoch, epochs, batch, batches, step;
  /// Of this batch, the mean over its pictures.
  double loss, margin, reconstruction;
  /// Of the epoch so far.
  double mean_loss, mean_error_percent;
  double learning_rate, gradient_norm;
  /// Images per second over the last half minute; seconds until the end at that rate, the judging
  /// of each epoch taken to last as long as the last one.
  double images_per_second, seconds_left;
  /// Of the last epoch that was judged; not a number before.
  double validation_error_percent;
};

struct EpochResult {
  std::int64_t epoch; // from 1
  std::int64_t epochs, step;
  /// Means over the epoch, while it trained, as chance had the pictures. The two parts have their
  /// weights in.
  double loss, margin, reconstruction, training_error_percent;
  /// Not a number without validation pictures.
  double validation_error_percent, validation_loss;
  bool best;
  /// Images per second: not a number when all steps were an earlier process's.
  double learning_rate, images_per_second, seconds;
};

/// Hears how training goes. The library itself prints nothing. An exception thrown here ends the
/// training as if the loop had thrown it.
class TrainListener {
public:
  virtual ~TrainListener() = default;
  virtual void started(const TrainStart&) {}
  virtual void stepped(const TrainProgress&) {}
  /// Pictures judged so far, of how many.
  virtual void evaluated(std::int64_t /*done*/, std::int64_t /*count*/) {}
  virtual void epoch_finished(const EpochResult&) {}
  virtual void checkpoint_saved(const std::string& /*path*/) {}
  /// Asked after every step and every batch evaluated; true ends the training, after saving.
  virtual bool stop() { return false; }
};

struct TrainResult {
  /// Ended by the listener, before the last epoch was done.
  bool stopped = false;
  std::int64_t epochs = 0, steps = 0; // done
  /// The epoch (from 1) with the lowest validation error, then the lowest validation loss; 0 when
  /// there was none, or no validation.
  std::int64_t best_epoch = 0;
  double best_error_percent = std::numeric_limits<double>::quiet_NaN();
  double seconds = 0;
  /// Files of the run folder; empty when not written.
  std::string last_checkpoint, best_checkpoint;
};

/// Trains the model on the data set less a part kept for validation.
///
/// The run folder, made when it is not there, holds
///   config.json            the options and the model
///   history.jsonl          a line for every epoch, and every history_steps steps
///   last.safetensors       the newest checkpoint: see load_model()
///   best.safetensors       the checkpoint of the epoch with the lowest validation error
///   reconstructions.png    validation pictures over what the model makes of them
///   report.html            the history as charts and tables, with those pictures, in one file
///   curves.png             the charts alone
///   events.out.tfevents.*  with options.tensorboard, a file of each process
/// The report and the curves are drawn anew after each epoch and at every end, from the history.
/// A run is a function of the options, the model and the data: a resumed one continues, also in the
/// middle of an epoch, with the same bits as one never stopped, on any number of threads (of one
/// instruction set: others round otherwise). When
/// resuming, the model's parameters are replaced by the checkpoint's.
///
/// Throws Error for options out of range; for data that the model does not fit; for a view whose
/// pixels leave [0, 1] when the model reconstructs them; for a folder that
/// holds a run already (unless resuming) or one that was started otherwise (when resuming); when
/// the loss or a gradient is no longer finite, naming the layer where that began; and when a file
/// cannot be written. Whatever happens, the last checkpoint written stays loadable, and a
/// checkpoint never holds a parameter that is not finite.
TrainResult train(Model& model, const Dataset& training, const TrainOptions& options,
                  TrainListener& listener);

// --- evaluation

struct EvaluationOptions {
  std::int64_t batch = 128;
  /// What the network sees of a picture; what is random in it is left out.
  View view = {};
  /// Sees each picture through all of these crops, and sums the scores, each divided by their sum
  /// over the classes; empty for the middle crop alone.
  std::span<const CropOffset> crops = {};
  /// The pictures to judge; empty for all.
  std::span<const std::int64_t> indices = {};
  /// Told of every batch, and asked whether to stop; may be null.
  TrainListener* listener = nullptr;
  /// Lends its memory; may be null.
  Tape* tape = nullptr;
};

struct Evaluation {
  /// Pictures judged: fewer than asked for when the listener stopped it. Where a picture has
  /// several labels, it is right when as many of the largest scores are just these.
  std::int64_t count = 0, wrong = 0;
  std::int64_t classes = 0, labels_per_image = 1;
  /// Mean loss, over crops too; the reconstruction is that of the predicted class.
  double loss = 0;
  /// (classes, classes): how often a true class (row) was taken for another (column), of several
  /// labels each by itself.
  std::vector<std::int64_t> confusion;
  double error_percent() const { return 100.0 * double(wrong) / double(count); }
};

/// Classifies pictures, none of them changed at random. Throws Error when what the view leaves of
/// them is not of the model's shape.
Evaluation evaluate(Model& model, const Dataset& data, const EvaluationOptions& options = {});

struct PositionOptions {
  std::int64_t batch = 128;
  /// Pictures are shown moved by up to so many pixels at random; what else a view does stays as it
  /// is.
  int max_shift = 2;
  View view = {};
  /// By how many pixels reconstructions are to be moved.
  double pixels = 3;
  std::uint64_t seed = 1;
};

/// What the first two elements of a true class's capsule have to do with the position of what it
/// stands for: where the middle of its brightness is, in pixels to the right and down. First along
/// x, then along y.
struct PositionReport {
  std::int64_t count = 0;
  /// Share of the variance of positions within each class that both elements together tell, by an
  /// affine map for each class that was fitted to every second picture; on the others.
  double r_squared[2] = {};
  /// Mean and deviation of how far reconstructions move when coordinate_scale times `pixels` is
  /// added to the element of that axis. Not a number where they are dark everywhere.
  double moved[2] = {}, deviation[2] = {};
};

/// See CapsNetConfig::coordinate_shift. Pixels darker than a tenth count for nothing. Throws Error
/// for models without a decoder, other than capsnet, and of several labels; for fewer than two
/// pictures; and as evaluate() does.
PositionReport measure_position(Model& model, const Dataset& data,
                                const PositionOptions& options = {});

/// Throws Error, naming both shapes, unless what the view leaves of the pictures, and the classes,
/// are what the model takes.
void check_fits(const InputShape& input, const Dataset& data, const View& view = {});

// --- checkpoints

/// What a checkpoint says about itself.
struct CheckpointInfo {
  std::string model, config; // arguments of make_model()
  std::string data;          // name of the training data
  std::vector<std::string> class_names;
  /// Class k in words: its name, or its number where it has none.
  std::string class_name(std::int64_t k) const {
    return std::size_t(k) < class_names.size() ? class_names[std::size_t(k)] : std::to_string(k);
  }
  /// Of the pictures, and what the network sees of them: nothing random.
  std::int64_t height = 0, width = 0;
  View view;
  /// Mean brightness of the border of the training pictures, in [0, 1].
  double background = 0;
  std::int64_t epochs = 0, steps = 0; // done
  /// Not a number when there is none.
  double validation_error_percent = std::numeric_limits<double>::quiet_NaN();
};

struct LoadedModel {
  std::unique_ptr<Model> model;
  CheckpointInfo info;
};

/// The model of a checkpoint with its parameters. Throws Error, naming the file, when it is not a
/// checkpoint, is damaged (it carries a checksum), or does not hold exactly the tensors of its
/// model.
LoadedModel load_model(const std::string& path);

/// A picture as the training data would have it, resized, before what the network sees of it is
/// taken by apply_view(): (1, height, width, channels of the image), from 0 to 1.
Tensor picture_for(const CheckpointInfo& info, const Image& image);

} // namespace mereo
