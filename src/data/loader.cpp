#include "data/pieces.h"
#include "data/streams.h"
#include "data/view.h"

#include <mereo/random.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace mereo {

namespace {

/// One of the two buffers: full-sized, filled with count pictures.
struct Slot {
  Tensor images, targets, moves; // as in Batch
  std::vector<std::int32_t> labels;
  std::vector<std::int64_t> indices;
  std::int64_t batch = -1; // which one of the epoch it holds; -1: none
  std::exception_ptr failure;
};

} // namespace

// The thread touches a slot only between request() and the moment busy turns false; the caller
// changes order, epoch and slots only when it is not busy. So the mutex guards the hand-over alone.
struct Loader::State {
  State(const Dataset& data, std::vector<std::int64_t> chosen, const LoaderOptions& options);
  ~State();

  bool moves_targets() const { return options.augment && options.target_shift > 0; }
  std::int64_t batches() const;
  void set_order(std::int64_t new_epoch);
  void fill(Slot& slot, std::int64_t batch);
  /// Appends one picture as the view has it.
  void show(std::int64_t index, Slot& slot);
  /// Decides where the next label's target is moved, and shows it there.
  const real* move(const Piece& piece, const Chance& chance, Random& random, Slot& slot);
  /// What the view leaves of the places of a picture.
  void crop(const Chance& chance, const real* picture, real* out) const;
  /// Starts filling a slot, on the thread if there is one.
  void request(Slot& slot, std::int64_t batch);
  void wait();
  void work();

  const Dataset& data;
  const LoaderOptions options;
  const std::int64_t height, width; // of what is seen
  const std::vector<std::int64_t> chosen;
  std::vector<std::int64_t> order; // chosen, as this epoch has it
  LoaderPosition position;
  Slot slots[2];
  std::vector<real> whole; // the picture of which a part is seen
  std::vector<real> over;  // one that comes over it, or is a target
  std::vector<Piece> pieces;

  std::mutex mutex;
  std::condition_variable changed;
  Slot* wanted = nullptr;
  std::int64_t wanted_batch = 0;
  bool busy = false, stop = false;
  std::thread thread;
};

Loader::State::State(const Dataset& data, std::vector<std::int64_t> indices,
                     const LoaderOptions& options)
    : data(data), options(options), height(options.view.seen(data.height)),
      width(options.view.seen(data.width)), chosen(std::move(indices)), order(chosen) {
  const std::string where = "Loader";
  if (options.batch < 1)
    throw Error(where, "the batch must be at least 1");
  options.view.check(data.height, data.width);
  if (options.target_shift < 0 || options.target_shift > std::min(data.height, data.width))
    throw Error(where, "the shift of targets is negative or larger than a picture",
                std::to_string(options.target_shift));
  if (data.count > (std::int64_t{1} << 31))
    throw Error(where, "the data set is too large");
  for (const std::int64_t i : chosen)
    if (i < 0 || i >= data.count)
      throw Error(where, "an index is out of the data set",
                  std::to_string(i) + ", pictures " + std::to_string(data.count));
  const std::int64_t L = data.labels_per_image;
  if (L > 1 && !chosen.empty())
    check_classes(data, chosen);
  const std::int64_t size = std::min(options.batch, std::max<std::int64_t>(1, std::ssize(chosen)));
  for (Slot& slot : slots) {
    slot.images = Tensor({size, height, width, data.channels});
    if (L > 1 || moves_targets())
      slot.targets = Tensor({size, L, height, width, data.channels});
    if (moves_targets())
      slot.moves = Tensor({size, L, 2});
    slot.labels.reserve(std::size_t(size * L));
    slot.indices.reserve(std::size_t(size));
  }
  if (options.view.crop > 0)
    whole.resize(std::size_t(data.image_size()));
  if (L > 1 || moves_targets())
    over.resize(std::size_t(data.image_size()));
  pieces.resize(std::size_t(L));
  set_order(0);
  if (options.prefetch)
    thread = std::thread([this] { work(); });
}

Loader::State::~State() {
  if (!thread.joinable())
    return;
  {
    const std::lock_guard lock(mutex);
    stop = true;
  }
  changed.notify_all();
  thread.join();
}

std::int64_t Loader::State::batches() const {
  const std::int64_t count = std::ssize(chosen);
  return (options.drop_last ? count : count + options.batch - 1) / options.batch;
}

void Loader::State::set_order(std::int64_t new_epoch) {
  std::copy(chosen.begin(), chosen.end(), order.begin());
  for (Slot& slot : slots)
    slot.batch = -1;
  position = {new_epoch, 0};
  if (!options.shuffle)
    return;
  Random random(options.seed, stream_of(Purpose::shuffle, new_epoch, 0));
  for (std::size_t left = order.size(); left > 1; --left) // Fisher-Yates, from the back
    std::swap(order[left - 1], order[random.below(std::uint32_t(left))]);
}

void Loader::State::crop(const Chance& chance, const real* picture, real* out) const {
  if (options.view.crop > 0)
    cut(chance, picture, data.width, data.channels, options.view.crop, out);
  else
    std::copy_n(picture, data.image_size(), out);
}

const real* Loader::State::move(const Piece& piece, const Chance& chance, Random& random,
                                Slot& slot) {
  const std::int64_t most = options.target_shift;
  const std::int64_t dx = std::int64_t(random.below(std::uint32_t(2 * most + 1))) - most;
  const std::int64_t dy = std::int64_t(random.below(std::uint32_t(2 * most + 1))) - most;
  real* const moved = slot.moves.data() + 2 * std::ssize(slot.labels);
  moved[0] = real(dx);
  moved[1] = real(dy);
  data.copy_image(piece.index, over.data(), piece.dy + chance.dy + dy, piece.dx + chance.dx + dx);
  return over.data();
}

void Loader::State::show(std::int64_t index, Slot& slot) {
  const View& view = options.view;
  const std::int64_t seen = height * width * data.channels;
  real* const out = slot.images.data() + std::ssize(slot.indices) * seen;
  const Chance chance =
      options.augment ? draw(view, data.height, data.width, options.seed, position.epoch, index)
                      : without_chance(view, data.height, data.width);
  real* picture = view.crop > 0 ? whole.data() : out;
  Random random(options.seed, stream_of(Purpose::target, position.epoch, index));
  draw_pieces(data, chosen, options.seed, options.augment ? position.epoch : 0, index, pieces);
  for (std::size_t l = 0; l < pieces.size(); ++l) {
    const Piece& piece = pieces[l];
    real* const alone = l == 0 ? picture : over.data();
    data.copy_image(piece.index, alone, piece.dy + chance.dy, piece.dx + chance.dx);
    if (l > 0)
      lay_over(over, picture);
    if (!slot.targets.empty())
      crop(chance, moves_targets() ? move(piece, chance, random, slot) : alone,
           slot.targets.data() + std::ssize(slot.labels) * seen);
    slot.labels.push_back(data.labels.at(std::size_t(piece.index)));
  }
  slot.indices.push_back(index);
  adjust(chance, data.height * data.width, data.channels, picture);
  if (view.crop > 0)
    crop(chance, picture, out);
  if (view.standardize)
    standardize(seen, out);
}

void Loader::State::fill(Slot& slot, std::int64_t batch) {
  slot.batch = -1;
  slot.labels.clear();
  slot.indices.clear();
  const std::int64_t begin = batch * options.batch;
  const std::int64_t end = std::min<std::int64_t>(begin + options.batch, std::ssize(order));
  for (std::int64_t i = begin; i < end; ++i)
    show(order[std::size_t(i)], slot);
  slot.batch = batch;
}

void Loader::State::request(Slot& slot, std::int64_t batch) {
  if (!options.prefetch) {
    fill(slot, batch);
    return;
  }
  {
    const std::lock_guard lock(mutex);
    wanted = &slot;
    wanted_batch = batch;
    busy = true;
  }
  changed.notify_all();
}

void Loader::State::wait() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return !busy; });
}

void Loader::State::work() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [&] { return stop || wanted; });
    if (stop)
      return;
    Slot* slot = std::exchange(wanted, nullptr);
    const std::int64_t batch = wanted_batch;
    lock.unlock();
    try {
      fill(*slot, batch);
    } catch (...) {
      slot->failure = std::current_exception();
    }
    lock.lock();
    busy = false;
    changed.notify_all();
  }
}

Loader::Loader(const Dataset& dataset, std::vector<std::int64_t> indices,
               const LoaderOptions& options)
    : state_(std::make_unique<State>(dataset, std::move(indices), options)) {}

Loader::~Loader() = default;

std::int64_t Loader::batches() const {
  return state_->batches();
}

std::int64_t Loader::samples() const {
  const std::int64_t count = std::ssize(state_->chosen);
  return state_->options.drop_last ? batches() * state_->options.batch : count;
}

void Loader::start_epoch(std::int64_t epoch) {
  restore({epoch, 0});
}

bool Loader::next(Batch& batch) {
  State& s = *state_;
  const std::int64_t number = s.position.batch;
  if (number >= s.batches())
    return false;
  Slot& slot = s.slots[number % 2];
  s.wait();
  if (slot.batch != number && !slot.failure) {
    s.request(slot, number);
    s.wait();
  }
  if (slot.failure)
    std::rethrow_exception(std::exchange(slot.failure, nullptr));
  batch.images = slot.images.rows(0, std::ssize(slot.indices));
  const auto filled = [&](const Tensor& all) {
    return all.empty() ? Tensor() : all.rows(0, std::ssize(slot.indices));
  };
  batch.targets = filled(slot.targets);
  batch.moves = filled(slot.moves);
  batch.labels.assign(slot.labels.begin(), slot.labels.end());
  batch.indices.assign(slot.indices.begin(), slot.indices.end());
  ++s.position.batch;
  if (s.options.prefetch && number + 1 < s.batches())
    s.request(s.slots[(number + 1) % 2], number + 1);
  return true;
}

LoaderPosition Loader::position() const {
  return state_->position;
}

void Loader::restore(const LoaderPosition& position) {
  State& s = *state_;
  if (position.epoch < 0 || position.epoch >= epoch_limit || position.batch < 0 ||
      position.batch > s.batches())
    throw Error("Loader", "there is no such position",
                "epoch " + std::to_string(position.epoch) + ", batch " +
                    std::to_string(position.batch) + " of " + std::to_string(s.batches()));
  s.wait();
  for (Slot& slot : s.slots)
    slot.failure = nullptr;
  s.set_order(position.epoch);
  s.position.batch = position.batch;
}

} // namespace mereo
