// Floor 7: labelled pictures, and batches of them.
#pragma once

#include <mereo/tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mereo {

/// How a picture of a NORB set was taken, in the codes of its files.
struct Viewpoint {
  std::int32_t instance;  // which object of its class, 0 to 9
  std::int32_t elevation; // of the camera, 0 to 8: 30 to 70 degrees in steps of 5
  std::int32_t azimuth;   // 0, 2, ..., 34: times 10 degrees
  std::int32_t lighting;  // 0 to 5
};

/// Labelled pictures of one size, 8 bits a channel.
struct Dataset {
  std::string name;
  std::int64_t count = 0, height = 0, width = 0, channels = 0, classes = 0;
  std::vector<std::uint8_t> pixels;       // (count, height, width, channels)
  std::vector<std::int32_t> labels;       // (count), each in [0, classes)
  std::vector<std::string> class_names;   // (classes)
  std::vector<Viewpoint> viewpoints = {}; // (count), or empty where nothing is known of them
  /// What a Loader makes of them: pictures moved along each axis by up to so many pixels and, where
  /// there are more labels than one, so many of them, of different classes, one over the other.
  std::int64_t labels_per_image = 1, max_move = 0;

  std::int64_t image_size() const { return height * width * channels; }
  /// Writes picture i to out (height, width, channels), divided by 255 and moved down by dy and
  /// right by dx; zero where nothing comes from. Throws Error when there is no picture i.
  void copy_image(std::int64_t i, real* out, std::int64_t dy = 0, std::int64_t dx = 0) const;
  /// Throws Error when the sizes of the vectors or a label contradict the numbers.
  void check() const;
};

/// The test set of the viewpoint experiments (see load_dataset()) holds the viewpoints that
/// training has not seen; familiar is the rest of it. Of digits that are transformed to test,
/// familiar are the test digits that are only moved, as those to train.
enum class Split { train, test, familiar };

// --- readers; each checks every claim of its files and throws Error naming the file

/// What pictures become as they are read.
struct PictureOptions {
  /// Of a folder: 1 grey, 3 RGB, 0 as the first picture has it. Of a NORB set: 2 both pictures of
  /// each pair, the left one first, 1 the left one alone, 0 both.
  int channels = 0;
  /// Resized to this. 0 in a folder: all must have the first picture's size; in a NORB set: 48.
  std::int64_t height = 0, width = 0;
};

/// An idx pair (MNIST, Fashion-MNIST), plain or gzip. classes bounds the labels.
Dataset read_idx(const std::string& images_path, const std::string& labels_path,
                 std::int64_t classes = 10);

/// Writes such a pair from a data set of one channel, each file whole or not at all.
void write_idx(const std::string& images_path, const std::string& labels_path,
               const Dataset& dataset);

/// CIFAR-10 binary records: a label byte, then planes R, G, B of 32x32. The files are joined.
Dataset read_cifar_binary(const std::vector<std::string>& paths);

/// CIFAR-10 sheets: an RGB PNG of 1024 columns, one picture a row; labels_path is a JSON array
/// with a label for each row of all sheets.
Dataset read_cifar_sheets(const std::vector<std::string>& sheet_paths,
                          const std::string& labels_path);

/// A folder with one sub-folder of png/jpg pictures a class, classes sorted by name, pictures too.
/// When class_names is not empty, those are the classes, and another sub-folder is an Error.
Dataset read_image_folder(const std::string& path, const PictureOptions& options = {},
                          const std::vector<std::string>& class_names = {});

/// One part of a NORB set (LeCun, Huang, Bottou 2004), three files, plain or gzip: the pairs of
/// pictures, their classes and their viewpoints. keep chooses among them; null for all.
Dataset read_norb(const std::string& dat_path, const std::string& cat_path,
                  const std::string& info_path, const PictureOptions& options = {},
                  const std::function<bool(const Viewpoint&)>& keep = nullptr);

/// Files of affNIST's transformed parts, of MATLAB's version 5, joined: a struct affNISTdata with
/// image, a column of bytes for each picture, and label_int.
Dataset read_affnist(const std::vector<std::string>& paths);

// --- by name

/// Names that load_dataset() knows, besides "folder:PATH".
std::vector<std::string> dataset_names();

/// name        one of dataset_names(), looked for in data_dir/name; or "folder:PATH", where
///             PATH/train and PATH/test are the splits, and a PATH without them is all training
///             data (asking for its test split is an Error)
/// options     for "folder:PATH" and NORB sets only
/// "smallnorb-azimuth", "smallnorb-elevation" and the same of toys are the two experiments with
/// novel viewpoints of Hinton, Sabour, Frosst 2018, section 5.2: training pictures from the third
/// of the azimuths around the front (300 to 40 degrees), or of the elevations, the lowest; test
/// pictures from the others; and, as Split::familiar, test pictures from the same third.
/// "faces-rotated", "faces-shifted" and "faces-scrambled" have the training pictures of faces and
/// another test set: see make_faces().
/// "multi-mnist" has the digits of MNIST for pairs of overlapping ones (Sabour, Frosst, Hinton
/// 2017, section 6): on 36x36 pixels, each moved by up to 4. "affine-mnist" is made from MNIST in
/// affNIST's protocol (same paper): training digits are moved by up to 6 pixels on 40x40, test
/// digits transformed (see transform_digits()). "affnist" has the same training digits and
/// affNIST's own test pictures, from test.mat or all of test_batches/*.mat.
/// Throws Error with a hint how to fetch or to make it when a file is missing.
Dataset load_dataset(const std::string& name, Split split, const std::string& data_dir = "data",
                     const PictureOptions& options = {});

// --- made here

/// What digits are put through, each number uniform in its range and drawn by seed and picture. The
/// ranges are ours, after affNIST's.
struct AffineRanges {
  double rotation = 20;                       // degrees, either way
  double shear = 0.2;                         // either way: x moves by so much of y
  double least_scale = 0.8, most_scale = 1.2; // along x and y each by itself; applied first
};

/// The pictures (of one channel), transformed and placed on a black field of side x side, anywhere
/// where no ink leaves it. Sampled bilinearly at 2x2 places of each pixel. Throws Error for
/// pictures of several channels, a side not in [1, 16384], and ranges that lead to nothing.
Dataset transform_digits(const Dataset& pictures, std::int64_t side = 40,
                         const AffineRanges& ranges = {}, std::uint64_t seed = 1);

struct ToysOptions {
  std::uint64_t seed = 1; // another one makes other toys
  int azimuths = 18;      // only the first so many, for a look: 1350 pairs each
};

/// Makes a part of "toys" in a folder: smallNORB's design with solids of our own, five categories
/// of ten instances that differ in the shapes and proportions of their parts, 9 elevations (30 to
/// 70 degrees), 18 azimuths, 6 lightings, stereo pairs of 96x96. Training has instances 4, 6, 7, 8,
/// 9, the test set 0, 1, 2, 3, 5: 24,300 pairs each, in the files of a NORB set.
///
/// Beside them, toys-training-poses.safetensors (or -testing-) has the truth about picture i:
/// whole (N, 4, 4) and parts (N, P, 4, 4) are poses for the left camera (x right, y down, z ahead),
/// parts in the order of the metadata "parts.CATEGORY.INSTANCE" and zero beyond; right_from_left
/// (4, 4) goes on to the right camera; eyes (2, 3) has scale, centre x and centre y of both, so
/// that a point (x, y, z) is at pixel scale * x / z + centre x, scale * y / z + centre y.
///
/// progress is told the pairs done and their number; when it answers false, the result is false and
/// nothing is left. The files appear when all is done. Throws Error when they cannot be written,
/// for an option out of range, and for Split::familiar.
bool make_toys(const std::string& folder, Split split, const ToysOptions& options = {},
               const std::function<bool(std::int64_t, std::int64_t)>& progress = nullptr);

struct FacesOptions {
  std::uint64_t seed = 1;
  std::int64_t train = 20000, test = 4000; // pictures, of all five classes in turn
};

/// Makes "faces" in a folder: faces, houses, cars, fish and clocks of 48x48, lines or shaded, drawn
/// from ellipses, boxes, triangles, bars and arcs that all of them share, every whole and every
/// part with a random pose of its own. Besides train and test, whose wholes are turned by up to 15
/// degrees and moved by up to 3 pixels, there are three more test sets: rotated (by 30 to 180
/// degrees), shifted (by 5 to 8 pixels), and scrambled (parts as they are, but in the wrong
/// places).
///
/// Each set is an idx pair and SET-poses.safetensors: whole (N, 4, 4) and parts (N, 10, 4, 4) for
/// an orthographic camera (x right, y down) in pixels from the middle of the picture, parts in the
/// order of the metadata "parts.CLASS" and zero beyond; lines (N) is 1 for a line drawing.
///
/// progress is told the pictures done and their number; when it answers false, the result is false.
/// Each set appears when it is done. Throws Error when files cannot be written, or a number of
/// pictures is not positive.
bool make_faces(const std::string& folder, const FacesOptions& options = {},
                const std::function<bool(std::int64_t, std::int64_t)>& progress = nullptr);

// --- splits

/// 0, 1, ..., count-1.
std::vector<std::int64_t> all_indices(std::int64_t count);

/// Positions in a training set, disjoint, together all of it, each sorted.
struct TrainValidation {
  std::vector<std::int64_t> train, validation;
};

/// Chooses count of the pictures for validation, from each class its share (largest remainder,
/// then the lower class), at random by the seed. Throws Error unless 0 <= count < labels.size().
TrainValidation carve_validation(const std::vector<std::int32_t>& labels, std::int64_t count,
                                 std::uint64_t seed);

// --- views

/// Where a crop lies: so far below and to the right of the middle.
struct CropOffset {
  std::int64_t dy = 0, dx = 0;
};

/// What happens to a picture between the data set and the network, in this order: that of the
/// authors' code of matrix capsules (Hinton, Sabour, Frosst 2018).
///
/// With standardize, brightness cancels out, and so does contrast as far as the channels have the
/// same mean: as nothing is clamped, all that such jitter can change is how far the channels lie
/// apart.
struct View {
  // At random, and only to train:
  int max_shift = 0;     // moved by (dy, dx) in [-max_shift, max_shift]^2; zero comes in
  double brightness = 0; // a number in [-brightness, brightness] is added
  double contrast = 0;   // distances from the channel's mean times one in [1-contrast, 1+contrast]
  // Always:
  std::int64_t crop = 0;    // crop x crop pixels are cut out, where chance has it when training,
                            // otherwise in the middle; 0: the whole picture
  bool standardize = false; // to mean 0 and deviation 1 over pixels and channels

  /// Of a picture's height or width, how much the network sees.
  std::int64_t seen(std::int64_t side) const { return crop > 0 ? crop : side; }
  /// Whether pixels stay in [0, 1], as they must for a network that reconstructs them.
  bool keeps_range() const { return !standardize && brightness == 0 && contrast == 0; }
  /// What is left to evaluate with: nothing random.
  View still() const { return {.crop = crop, .standardize = standardize}; }
  /// Throws Error for numbers out of range for pictures of this size.
  void check(std::int64_t height, std::int64_t width) const;
};

/// How a data set is usually trained on. NORB sets (from 48x48): the view of the authors' code,
/// brightness 63/255, contrast 0.8, crop 32, standardised. Faces and digits that a Loader moves: as
/// they are. Others: shifted by up to 2 pixels.
View usual_view(const std::string& dataset_name);

/// Pictures (B, H, W, C) as a network sees them that does not train: (B, seen(H), seen(W), C).
/// Throws Error where the crop does not lie in the picture.
Tensor apply_view(const Tensor& pictures, const View& view, const CropOffset& offset = {});

/// The 13 crops over which the authors' code sums class scores: the middle, and 1, 2 and 3 pixels
/// away from it along each diagonal.
std::vector<CropOffset> thirteen_crops();

// --- batches

struct LoaderOptions {
  std::int64_t batch = 128;
  bool shuffle = true;    // a new order each epoch
  bool drop_last = false; // leave out a last batch that is not full
  View view = {};
  bool augment = true;  // with what is random in the view
  int target_shift = 0; // with augment: see Batch::moves
  bool prefetch = true; // fill the next batch on a thread of its own
  std::uint64_t seed = 1;
};

struct Batch {
  Tensor images;                    // (B, h, w, C) as the view has it; until the following next()
  std::vector<std::int32_t> labels; // (B), or (B, labels_per_image)
  /// Of several labels, and with a target_shift, each one's picture alone, (B, labels_per_image, h,
  /// w, C), only shifted and cut by the view; otherwise empty. As long as images.
  Tensor targets;
  /// With a target_shift, how far right and down each target is from where the image has it, in
  /// whole pixels at random in [-target_shift, target_shift]: (B, labels_per_image, 2). Otherwise
  /// empty. As long as images.
  Tensor moves;
  std::vector<std::int64_t> indices; // (B) positions in the data set
};

/// Where a loader stands: batches of the epoch already handed out.
struct LoaderPosition {
  std::int64_t epoch = 0, batch = 0;
  bool operator==(const LoaderPosition&) const = default;
};

/// Hands out the chosen pictures batch by batch. The order depends on (seed, epoch), what is random
/// in the view of a picture on (seed, epoch, its index): never on threads, prefetching, the batch
/// size or what was asked before, so restore() continues with exactly the batches that would have
/// followed. So does where a picture is moved (Dataset::max_move), and which others, out of those
/// chosen, come over it; only that without `augment` every epoch has what the first one had. Once
/// each of its two buffers was used, it allocates nothing.
class Loader {
public:
  /// Throws Error for a batch or view out of range, an index out of the data set, or fewer classes
  /// than an image has labels. Stands at the start of epoch 0. dataset must outlive the loader and
  /// not change.
  Loader(const Dataset& dataset, std::vector<std::int64_t> indices, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Batches and pictures in one epoch.
  std::int64_t batches() const;
  std::int64_t samples() const;

  /// Goes to the first batch of an epoch >= 0.
  void start_epoch(std::int64_t epoch);
  /// False at the end of the epoch, batch then being untouched.
  bool next(Batch& batch);

  LoaderPosition position() const;
  void restore(const LoaderPosition& position);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace mereo
