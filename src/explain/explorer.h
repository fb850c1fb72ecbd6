// What the page of build/explore asks, and the answers: JSON in, JSON out, whoever sent it.
#pragma once

#include <mereo/train.h>

#include <string>
#include <string_view>

namespace mereo {

/// Not thread-safe: one question at a time. Throws Error for every question that it cannot answer,
/// saying why.
class Explorer {
public:
  /// Keeps the model's parameters as they are. Throws Error for a network that reads neither grey
  /// nor RGB pictures.
  Explorer(const LoadedModel& loaded, const std::string& name);

  /// {"name", "height", "width", "channels", "classes": [names], "pose": elements, "reconstructs",
  /// "background": brightness of the border of what was learnt}.
  std::string about() const;

  /// {"pixels": [height * width * channels numbers in [0, 1]], "class": which to show, of the
  /// likeliest if left out, "pose": [numbers in [-2, 2] added to its pose]} ->
  /// {"scores", "read": [classes], "class", "pose", "reconstruction", "least", "most", "routing":
  /// [{"class", "shares", "maps", "moved", "types"}], "frames"}, pictures as data URIs, what the
  /// network does not have left out.
  std::string explain(std::string_view question);

  /// A PNG or JPEG file -> {"pixels"}: as explain() takes them, turned to the brightness learnt
  /// where the border says the opposite.
  std::string read(std::string_view file) const;

private:
  const LoadedModel& loaded_;
  std::string name_;
  Tape tape_;
};

} // namespace mereo
