#include "explain/explorer.h"

#include "explain/brightness.h"
#include "explain/class_maps.h"
#include "explain/frames.h"
#include "explain/perturbation.h"
#include "io/picture_bytes.h"
#include "report/html.h"
#include "report/paint.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t most_file_pixels = 4096 * 4096;
constexpr double most_change = 2;

Error refusal(const std::string& problem, const std::string& values = {}) {
  return Error("explore", problem, values);
}

Json parse(std::string_view text, std::size_t most) {
  if (text.size() > most)
    throw refusal("the question is too long", std::to_string(text.size()) + " bytes");
  // Flat but for lists of numbers: what nests deeper is dropped before it is built.
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= 2; };
  Json json = Json::parse(text, shallow, false);
  if (!json.is_object())
    throw refusal("the question is not a JSON object");
  return json;
}

/// A list of that many numbers in [low, high].
std::vector<real> numbers(const Json& question, const char* key, std::int64_t count, double low,
                          double high) {
  const auto found = question.find(key);
  if (found == question.end() || !found->is_array() || std::int64_t(found->size()) != count)
    throw refusal(std::string("there is no list \"") + key + "\" of so many numbers",
                  std::to_string(count));
  std::vector<real> out;
  for (const Json& x : *found) {
    if (!x.is_number() || !(x.get<double>() >= low && x.get<double>() <= high))
      throw refusal(std::string("a number in \"") + key + "\" is out of range", x.dump());
    out.push_back(real(x.get<double>()));
  }
  return out;
}

std::string picture(const Tensor& canvas) {
  return png_uri(png_bytes("a picture", canvas));
}

Json routing_of(const Inspection& seen, const Tensor& canvas, const std::vector<std::int32_t>& read,
                Json& answer) {
  const std::int32_t shown[] = {
      read[0], read.size() > 1 ? read[1] : runner_up(seen.outputs.scores.value(), read[0])};
  const MapPair pair = map_pair(seen, canvas, shown[0], shown[1]);
  answer["least"] = pair.least;
  answer["most"] = pair.most;
  Json routing = Json::array();
  for (std::size_t c = 0; c < 2; ++c) {
    const ClassMaps& maps = pair.classes[c];
    Json entry = {{"class", shown[c]}, {"shares", maps.shares}, {"maps", Json::array()}};
    for (const Tensor& heat : maps.heat)
      entry["maps"].push_back(picture(heat_over(canvas, heat, pair.least, pair.most)));
    entry["moved"] = picture(change_over(canvas, maps.moved, pair.most_moved));
    entry["types"] = picture(marked(canvas, seen, maps.strongest));
    routing.push_back(entry);
  }
  return routing;
}

} // namespace

Explorer::Explorer(const LoadedModel& loaded, const std::string& name)
    : loaded_(loaded), name_(name) {
  const std::int64_t channels = loaded.model->input().channels;
  if (channels != 1 && channels != 3)
    throw Error(name, "reads pictures that nobody can draw", std::to_string(channels) + " channels",
                channels == 2 ? "train with --channels 1 to read the left picture of a pair" : "");
  loaded.model->freeze(1);
}

std::string Explorer::about() const {
  const CheckpointInfo& info = loaded_.info;
  const InputShape in = loaded_.model->input();
  Json classes = Json::array();
  for (std::int64_t k = 0; k < in.classes; ++k)
    classes.push_back(info.class_name(k));
  const Json answer = {{"name", name_},
                       {"network", info.model},
                       {"data", info.data},
                       {"height", info.height},
                       {"width", info.width},
                       {"channels", in.channels},
                       {"classes", classes},
                       {"reconstructs", loaded_.model->reconstructs()},
                       {"background", info.background}};
  return answer.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Explorer::explain(std::string_view text) {
  const CheckpointInfo& info = loaded_.info;
  Model& model = *loaded_.model;
  const InputShape in = model.input();
  const std::int64_t size = info.height * info.width * in.channels;
  const Json question = parse(text, std::size_t(size) * 32 + 65536);
  const std::vector<real> pixels = numbers(question, "pixels", size, 0, 1);
  const Tensor whole(Shape{1, info.height, info.width, in.channels}, pixels);
  const Tensor image = apply_view(whole, info.view);

  tape_.reset();
  const Inspection seen = model.inspect(tape_, image);
  const auto scores = seen.outputs.scores.value().values();
  if (!std::ranges::all_of(scores, [](real x) { return std::isfinite(x); }))
    throw refusal("the scores of this picture are not finite");
  std::vector<std::int32_t> predicted;
  predictions(seen.outputs.scores, predicted, in.labels_per_image);
  std::int32_t shown = predicted[0];
  if (const auto k = question.find("class"); k != question.end() && !k->is_null()) {
    if (!k->is_number_unsigned() || k->get<std::uint64_t>() >= std::uint64_t(in.classes))
      throw refusal("there is no such class", k->dump());
    shown = k->get<std::int32_t>();
  }
  Json answer = {{"scores", std::vector<real>(scores.begin(), scores.end())},
                 {"read", predicted},
                 {"class", shown}};
  if (!seen.outputs.capsules.empty()) {
    const Tensor capsules = seen.outputs.capsules.value().clone();
    const std::int64_t D = capsules.shape()[2];
    const std::span<real> pose(capsules.data() + shown * D, std::size_t(D));
    answer["pose"] = std::vector<real>(pose.begin(), pose.end());
    if (question.contains("pose")) {
      const auto change = numbers(question, "pose", D, -most_change, most_change);
      for (std::size_t d = 0; d < pose.size(); ++d)
        pose[d] += change[d];
    }
    if (model.reconstructs())
      answer["reconstruction"] = picture(canvas_of(decoded(model, tape_, capsules, shown)));
  }
  if (seen.layers.empty() || in.classes < 2)
    return answer.dump();
  const Tensor canvas = canvas_of(image.reshape({in.height, in.width, in.channels}));
  answer["routing"] = routing_of(seen, canvas, predicted, answer);
  if (pose_matrix_side(model) > 0)
    answer["frames"] = picture(drawn_frames(model, seen, canvas, predicted[0]));
  return answer.dump();
}

std::string Explorer::read(std::string_view file) const {
  const CheckpointInfo& info = loaded_.info;
  const int channels = int(loaded_.model->input().channels);
  const Image image = image_of_bytes("the picture", file, channels, most_file_pixels);
  const Tensor pixels = picture_for(info, image);
  if (seems_inverted(pixels, info.background))
    for (real& x : pixels.values())
      x = 1 - x;
  const Json answer = {
      {"pixels", std::vector<real>(pixels.values().begin(), pixels.values().end())}};
  return answer.dump();
}

} // namespace mereo
