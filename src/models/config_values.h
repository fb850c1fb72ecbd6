// What enumerations and routings are in the configurations of models.
#pragma once

#include "io/config_fields.h"

#include <mereo/models.h>

namespace mereo {

template <> struct EnumNames<Padding> {
  static constexpr std::pair<const char*, Padding> list[] = {{"valid", Padding::valid},
                                                             {"same", Padding::same}};
};

template <> struct EnumNames<ConvolutionMethod> {
  static constexpr std::pair<const char*, ConvolutionMethod> list[] = {
      {"auto", ConvolutionMethod::automatic},
      {"direct", ConvolutionMethod::direct},
      {"winograd", ConvolutionMethod::winograd}};
};

template <> struct EnumNames<Pooling> {
  static constexpr std::pair<const char*, Pooling> list[] = {{"max", Pooling::max},
                                                             {"average", Pooling::average}};
};

template <> struct EnumNames<MarginSchedule> {
  static constexpr std::pair<const char*, MarginSchedule> list[] = {
      {"linear", MarginSchedule::linear}, {"sigmoid", MarginSchedule::sigmoid}};
};

template <> struct EnumNames<PoseKind> {
  static constexpr std::pair<const char*, PoseKind> list[] = {{"matrix", PoseKind::matrix},
                                                              {"vector", PoseKind::vector}};
};

template <> struct EnumNames<ClassLoss> {
  static constexpr std::pair<const char*, ClassLoss> list[] = {
      {"spread", ClassLoss::spread},
      {"margin", ClassLoss::margin},
      {"cross-entropy", ClassLoss::cross_entropy}};
};

/// A routing's options follow it as members of their own, so it is its name alone.
inline FieldValue field(const RoutingChoice& choice) {
  return choice.name;
}

/// With the routing's default options.
inline void assign(const std::string& key, const FieldValue& value, RoutingChoice& to) {
  const auto* name = std::get_if<std::string>(&value);
  if (!name)
    reject_value(key, "the name of a routing");
  to = RoutingChoice(*name);
}

} // namespace mereo
