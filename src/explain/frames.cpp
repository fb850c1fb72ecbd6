#include "explain/frames.h"

#include "explain/class_maps.h"
#include "report/paint.h"

#include <mereo/io.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mereo {

namespace {

/// In an image plane: the first element of a column goes down, the second right, as the places
/// that votes for class capsules have added.
struct Frame {
  double x, y;                           // origin, in pixels
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0; // axes
};

Frame frame_of(const real* pose, std::int64_t side, double x, double y) {
  return {x, y, double(pose[side]), double(pose[0]), double(pose[side + 1]), double(pose[1])};
}

/// With its longer axis so many pixels long.
void draw(const Tensor& canvas, const Frame& f, double length, double width) {
  const double longest = std::max(std::hypot(f.x0, f.y0), std::hypot(f.x1, f.y1));
  const double s = longest > 0 ? length / longest : 0;
  draw_arrow(canvas, f.x, f.y, f.x + s * f.x0, f.y + s * f.y0, width, marks[0]);
  draw_arrow(canvas, f.x, f.y, f.x + s * f.x1, f.y + s * f.y1, width, marks[1]);
}

/// JSON does not tell 1 from 1.0.
double number(const FieldValue& value) {
  const auto* whole = std::get_if<std::int64_t>(&value);
  return whole ? double(*whole) : std::get<double>(value);
}

double middle(const ReceptiveField& field, std::int64_t place) {
  return double(field.first + place * field.stride) + double(field.size()) / 2;
}

} // namespace

std::int64_t pose_matrix_side(const Model& model) {
  const Fields config = parse_json_object(model.config());
  const FieldValue* kind = find(config, "pose");
  const FieldValue* size = find(config, "pose_size");
  if (!kind || !size || *kind != FieldValue("matrix"))
    return 0;
  const std::int64_t side = std::llround(std::sqrt(double(std::get<std::int64_t>(*size))));
  return side >= 3 ? side : 0;
}

Tensor drawn_frames(const Model& model, const Inspection& seen, const Tensor& canvas,
                    std::int64_t k) {
  const Tensor evidence = class_evidence(seen, k, seen.layers.back().couplings.size() - 1);
  const std::int64_t factor = 2 * factor_of(canvas);
  const std::int64_t side = pose_matrix_side(model);
  const double f = double(factor);
  Tensor out = enlarged(canvas, factor);
  for (real& x : out.values())
    x *= real(0.6); // so that the lines stand out
  const double height = double(out.shape()[0]), width = double(out.shape()[1]);

  std::vector<std::int64_t> order(std::size_t(evidence.elements()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return evidence.data()[a] > evidence.data()[b];
  });
  const std::int64_t W = evidence.shape()[1], I = evidence.shape()[2];
  for (std::size_t n = 0; n < std::min(framed_capsules, order.size()); ++n) {
    const std::int64_t child = order[n], place = child / I;
    draw(out,
         frame_of(seen.layers.front().child_poses.data() + child * side * side, side,
                  f * middle(seen.columns, place % W), f * middle(seen.rows, place / W)),
         height / 14, 2);
  }

  const Fields config = parse_json_object(model.config());
  const FieldValue* scale = find(config, "coordinate_scale");
  const double unit = scale ? number(*scale) : 0;
  if (unit <= 0)
    return out;
  const real* whole = seen.layers.back().parent_poses.data() + k * side * side;
  const auto at = [&](std::int64_t row) {
    return std::clamp(double(whole[row * side + side - 1]) / unit, 0.0, 1.0);
  };
  const Frame frame = frame_of(whole, side, width * at(1), height * at(0));
  draw_box(out, frame.x - 5, frame.y - 5, frame.x + 5, frame.y + 5, 2.5, marks[2]);
  draw(out, frame, height / 5, 4);
  return out;
}

} // namespace mereo
