#include <mereo/c.h>

#include <mereo/train.h>

#include <algorithm>
#include <cstdio>
#include <new>

struct mereo_network {
  mereo::LoadedModel loaded;
  std::vector<std::string> class_names;
  mereo_sizes sizes;
  mereo::Tape tape, decoding;
  /// Of the last prediction; empty where there was none, or it failed.
  mereo::Outputs outputs;
};

namespace {

using namespace mereo;

/// Takes no memory, because there may be none.
thread_local char last_error[512] = "";

/// The body's result; when it throws, that is noted and failure returned.
template <class Result, class Body> Result guarded(Result failure, const Body& body) noexcept {
  const auto note = [](const char* text) {
    std::snprintf(last_error, sizeof last_error, "%s", text);
  };
  try {
    return body();
  } catch (const std::bad_alloc&) {
    note("out of memory");
  } catch (const std::exception& error) {
    note(error.what());
  } catch (...) {
    note("an exception of unknown type");
  }
  return failure;
}

template <class Thing> Thing& demand(Thing* pointer, const char* call, const char* name) {
  if (!pointer)
    throw Error(call, std::string(name) + " is NULL");
  return *pointer;
}

void demand_class(const mereo_network& network, const char* call, std::size_t index) {
  if (index >= network.class_names.size())
    throw Error(call, "there is no such class",
                std::to_string(index) + " of " + std::to_string(network.class_names.size()));
}

/// image: (1, H, W, C), as the data set would have it.
int classify(mereo_network& network, const Tensor& image) {
  network.outputs = {};
  network.tape.reset();
  network.outputs = network.loaded.model->forward(
      network.tape, apply_view(image, network.loaded.info.view), {}, Mode::evaluation);
  std::vector<std::int32_t> labels;
  predictions(network.outputs.scores, labels);
  return labels[0];
}

/// Of the last prediction. Throws Error when there was none.
const Outputs& outputs_of(const mereo_network* network, const char* call) {
  const Outputs& outputs = demand(network, call, "the network").outputs;
  if (outputs.scores.empty())
    throw Error(call, "nothing has been predicted", "", "call mereo_predict() first");
  return outputs;
}

template <class From, class To>
int fill(const char* call, std::span<const From> from, To* to, std::size_t count) {
  demand(to, call, "the array");
  if (count != from.size())
    throw Error(call, "the array has another length",
                std::to_string(count) + " instead of " + std::to_string(from.size()));
  std::copy(from.begin(), from.end(), to);
  return 0;
}

int copy(const char* call, const mereo_network* network, const Variable& from, float* to,
         std::size_t count) {
  if (from.empty())
    throw Error(call, "the network does not make that", network->loaded.info.model);
  return fill(call, std::span<const real>(from.data(), std::size_t(from.elements())), to, count);
}

} // namespace

mereo_network* mereo_load(const char* checkpoint) {
  return guarded<mereo_network*>(nullptr, [&] {
    auto network = std::make_unique<mereo_network>();
    network->loaded = load_model(&demand(checkpoint, "mereo_load", "the path"));
    const CheckpointInfo& info = network->loaded.info;
    Model& model = *network->loaded.model;
    model.freeze(1);
    const InputShape input = model.input();
    for (std::int64_t k = 0; k < input.classes; ++k)
      network->class_names.push_back(info.class_name(k));
    // A first picture shows what there is to be had.
    classify(*network, Tensor({1, info.height, info.width, input.channels}));
    const Outputs& outputs = network->outputs;
    network->sizes = {.height = std::size_t(info.height),
                      .width = std::size_t(info.width),
                      .channels = std::size_t(input.channels),
                      .classes = std::size_t(input.classes),
                      .labels = std::size_t(input.labels_per_image),
                      .pose =
                          outputs.capsules.empty() ? 0 : std::size_t(outputs.capsules.shape()[2]),
                      .seen_height = std::size_t(input.height),
                      .seen_width = std::size_t(input.width),
                      .reconstructs = !outputs.reconstruction.empty()};
    network->outputs = {};
    return network.release();
  });
}

void mereo_free(mereo_network* network) {
  delete network;
}

int mereo_get_sizes(const mereo_network* network, mereo_sizes* sizes) {
  return guarded(-1, [&] {
    demand(sizes, "mereo_get_sizes", "the place for sizes") =
        demand(network, "mereo_get_sizes", "the network").sizes;
    return 0;
  });
}

const char* mereo_class_name(const mereo_network* network, size_t index) {
  return guarded<const char*>(nullptr, [&] {
    const char* call = "mereo_class_name";
    demand_class(demand(network, call, "the network"), call, index);
    return network->class_names[index].c_str();
  });
}

int mereo_predict(mereo_network* network, const float* pixels, size_t count) {
  return guarded(-1, [&] {
    const char* call = "mereo_predict";
    const mereo_sizes& sizes = demand(network, call, "the network").sizes;
    network->outputs = {};
    demand(pixels, call, "the picture");
    const std::size_t wanted = sizes.height * sizes.width * sizes.channels;
    if (count != wanted)
      throw Error(call, "the picture has another number of pixels",
                  std::to_string(count) + " instead of " + std::to_string(sizes.height) + " x " +
                      std::to_string(sizes.width) + " x " + std::to_string(sizes.channels));
    const float* odd = std::find_if_not(pixels, pixels + count,
                                        [](float pixel) { return pixel >= 0 && pixel <= 1; });
    if (odd != pixels + count)
      throw Error(call, "a pixel is not from 0 to 1",
                  "number " + std::to_string(odd - pixels) + " is " + std::to_string(*odd),
                  "divide bytes by 255");
    const Tensor image(
        {1, std::int64_t(sizes.height), std::int64_t(sizes.width), std::int64_t(sizes.channels)});
    std::copy_n(pixels, count, image.data());
    return classify(*network, image);
  });
}

int mereo_predict_file(mereo_network* network, const char* path) {
  return guarded(-1, [&] {
    const char* call = "mereo_predict_file";
    const mereo_sizes& sizes = demand(network, call, "the network").sizes;
    network->outputs = {};
    demand(path, call, "the path");
    return classify(*network,
                    picture_for(network->loaded.info, read_image(path, int(sizes.channels))));
  });
}

int mereo_labels(const mereo_network* network, int* labels, size_t count) {
  return guarded(-1, [&] {
    const char* call = "mereo_labels";
    const Outputs& outputs = outputs_of(network, call);
    std::vector<std::int32_t> best;
    predictions(outputs.scores, best, std::int64_t(network->sizes.labels));
    return fill(call, std::span<const std::int32_t>(best), labels, count);
  });
}

int mereo_scores(const mereo_network* network, float* scores, size_t count) {
  return guarded(-1, [&] {
    const char* call = "mereo_scores";
    return copy(call, network, outputs_of(network, call).scores, scores, count);
  });
}

int mereo_poses(const mereo_network* network, float* poses, size_t count) {
  return guarded(-1, [&] {
    const char* call = "mereo_poses";
    return copy(call, network, outputs_of(network, call).capsules, poses, count);
  });
}

int mereo_reconstruct(mereo_network* network, size_t index, float* pixels, size_t count) {
  return guarded(-1, [&] {
    const char* call = "mereo_reconstruct";
    const Outputs& outputs = outputs_of(network, call);
    demand_class(*network, call, index);
    Variable picture;
    if (network->sizes.reconstructs) {
      const std::int32_t which[] = {std::int32_t(index)};
      network->decoding.reset();
      picture = network->loaded.model->decode(network->decoding,
                                              network->decoding.constant(outputs.capsules.value()),
                                              which, Mode::evaluation);
    }
    return copy(call, network, picture, pixels, count);
  });
}

const char* mereo_last_error(void) {
  return last_error;
}

int mereo_set_threads(int count) {
  return guarded(-1, [&] {
    set_threads(count);
    return 0;
  });
}

const char* mereo_version(void) {
  return version;
}
