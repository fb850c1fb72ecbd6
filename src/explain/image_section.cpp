// The part of a report on one image.
#include "explain/report.h"

#include "explain/class_maps.h"
#include "explain/frames.h"
#include "explain/perturbation.h"
#include "io/picture_bytes.h"
#include "report/numbers.h"
#include "report/paint.h"

#include <algorithm>
#include <cstdio>

namespace mereo {

namespace {

std::string percent(double share) {
  return fixed_number(100 * share, 2) + " %";
}

Tensor picture_of(const Tensor& batch) {
  const Shape& s = batch.shape();
  return batch.reshape({s[1], s[2], s[3]});
}

bool is_in(const std::vector<std::int32_t>& classes, std::int64_t k) {
  return std::ranges::find(classes, k) != classes.end();
}

std::string colour_text(const Rgb& colour) {
  char text[8];
  std::snprintf(text, sizeof text, "#%02x%02x%02x", unsigned(colour[0] * 255),
                unsigned(colour[1] * 255), unsigned(colour[2] * 255));
  return text;
}

/// The key to a colour in a picture.
void mark(Html& html, const Rgb& colour) {
  html.put("span", "", {{"class", "mark box"}, {"style", "border-color:" + colour_text(colour)}});
}

} // namespace

void Report::add(const ExplainedImage& image) {
  Model& model = *loaded_.model;
  const InputShape in = model.input();
  tape_.reset();
  const Inspection seen = model.inspect(tape_, image.pixels);
  std::vector<std::int32_t> predicted;
  predictions(seen.outputs.scores, predicted, in.labels_per_image);
  std::vector<std::int32_t> matched = predicted;
  if (!image.truth.empty())
    match_labels(matched, image.truth, in.labels_per_image);
  const bool wrong = !image.truth.empty() && matched != image.truth;
  char prefix[24];
  std::snprintf(prefix, sizeof prefix, "%03zu", cards_.size());
  const std::string anchor = std::string("image-") + prefix;
  const Tensor canvas = canvas_of(picture_of(image.pixels));
  cards_.push_back({anchor, class_names(predicted, "+"), png_uri(png_bytes(image.name, canvas)),
                    !image.truth.empty(), wrong});

  const auto card = images_.in("article", {{"class", "card"}, {"id", anchor}});
  {
    const auto header = images_.in("header");
    images_.put("h2", image.name);
    const std::string verdict = "read as " + class_names(predicted);
    if (image.truth.empty())
      images_.put("p", verdict, {{"class", "verdict"}});
    else
      images_.put("p", verdict + (wrong ? ", wrong: it is " + class_names(image.truth) : ", right"),
                  {{"class", wrong ? "verdict wrong" : "verdict"}});
  }
  show_look(images_, prefix, image, seen.outputs, predicted);
  const std::int32_t first = predicted[0];
  if (!seen.layers.empty() && in.classes > 1)
    show_routing(images_, prefix, canvas, seen, first,
                 predicted.size() > 1 ? predicted[1]
                                      : runner_up(seen.outputs.scores.value(), first));
  if (!seen.layers.empty() && pose_matrix_side(model) > 0)
    show_frames(images_, prefix, canvas, seen, first);
  if (model.reconstructs())
    for (const std::int32_t k : predicted)
      show_dimensions(images_, prefix, seen, k);
}

void Report::show_look(Html& html, const std::string& prefix, const ExplainedImage& image,
                       const Outputs& outputs, const std::vector<std::int32_t>& predicted) {
  const auto look = html.in("div", {{"class", "look"}});
  const auto figure = [&](const std::string& name, const Tensor& canvas, const std::string& alt,
                          const std::string& caption) {
    const auto element = html.in("figure");
    show(html, prefix + name, canvas, alt);
    html.put("figcaption", caption);
  };
  const Tensor canvas = canvas_of(picture_of(image.pixels));
  figure("-input", canvas, "The input: " + image.name, "input");
  if (!outputs.reconstruction.empty()) {
    const Shape& s = image.pixels.shape();
    const auto count = std::int64_t(predicted.size());
    const Tensor all = outputs.reconstruction.value().reshape({count, s[1], s[2], s[3]});
    std::vector<Tensor> made;
    for (std::int64_t n = 0; n < count; ++n) {
      const std::string name = loaded_.info.class_name(predicted[std::size_t(n)]);
      made.push_back(canvas_of(picture_of(all.rows(n, n + 1))));
      figure(n == 0 ? "-reconstruction" : "-reconstruction-" + std::to_string(n + 1), made.back(),
             "Reconstructed from the capsule of " + name,
             count == 1 ? "reconstructed" : "reconstructed: " + name);
    }
    if (count > 1)
      figure("-overlaid", overlaid(canvas, made),
             "The reconstructions over the input, " + class_names(predicted) +
                 ", the first orange, the second blue",
             "over the input: " + loaded_.info.class_name(predicted[0]) + " orange, " +
                 loaded_.info.class_name(predicted[1]) + " blue");
  }
  const auto bars = html.in("table", {{"class", "bars"}});
  html.put("caption",
           outputs.capsules.empty() ? "score of each class" : "activation of each class capsule");
  for (std::int64_t k = 0; k < outputs.scores.elements(); ++k) {
    const double score = double(outputs.scores.data()[k]);
    const auto row = html.in("tr", {{"class", is_in(predicted, k) ? "winner" : ""}});
    html.put("th", loaded_.info.class_name(k) + (is_in(image.truth, k) ? " (truth)" : ""),
             {{"scope", "row"}});
    {
      const auto cell = html.in("td", {{"class", "track"}});
      html.put("span", "",
               {{"style", "width:" + fixed_number(100 * std::clamp(score, 0.0, 1.0), 1) + "%"}});
    }
    html.put("td", fixed_number(score, 2), {{"class", "number"}});
  }
}

void Report::show_routing(Html& html, const std::string& prefix, const Tensor& canvas,
                          const Inspection& seen, std::int32_t first, std::int32_t second) {
  const auto section = html.in("section", {{"class", "routing"}});
  html.put("h3", "Where the evidence comes from");
  const MapPair pair = map_pair(seen, canvas, first, second);
  const auto& both = pair.classes;
  html.put("p",
           "Coupling times activation, the mean over the places that see a pixel: dark is " +
               short_number(pair.least, 3) + ", bright " + short_number(pair.most, 3) +
               ". The number is a class' share of it all.",
           {{"class", "note"}});
  for (std::size_t c = 0; c < both.size(); ++c) {
    const ClassMaps& maps = both[c];
    const std::string name = loaded_.info.class_name(c == 0 ? first : second);
    const std::string file = prefix + (c == 0 ? "-winner" : "-second");
    html.put("h4", (c == 0 || loaded_.model->input().labels_per_image > 1 ? "for "
                                                                          : "for the runner-up, ") +
                       name);
    const auto row = html.in("div", {{"class", "maps"}});
    for (std::size_t t = 0; t < maps.heat.size(); ++t) {
      const auto figure = html.in("figure");
      const std::string iteration = std::to_string(t + 1), share = percent(maps.shares[t]);
      show(html, file + "-iteration-" + iteration,
           heat_over(canvas, maps.heat[t], pair.least, pair.most),
           "Heat map of the evidence for " + name + " in iteration " + iteration + ": " + share +
               " of all evidence");
      html.put("figcaption", "iteration " + iteration + ": " + share);
    }
    if (maps.heat.size() > 1) {
      const auto figure = html.in("figure");
      show(html, file + "-moved", change_over(canvas, maps.moved, pair.most_moved),
           "Where routing moved evidence to " + name + ", in orange, or away from it, in blue");
      html.put("figcaption", "gained by routing orange, lost blue");
    }
    const auto figure = html.in("figure");
    show(html, file + "-types", marked(canvas, seen, maps.strongest),
         "Boxes around what the strongest types of primary capsules for " + name + " see");
    const auto caption = html.in("figcaption");
    html.text("strongest types");
    for (std::size_t n = 0; n < maps.strongest.size(); ++n) {
      const auto type = html.in("span", {{"class", "type"}});
      mark(html, marks[n]);
      html.text(std::to_string(maps.strongest[n].type));
    }
  }
}

void Report::show_frames(Html& html, const std::string& prefix, const Tensor& canvas,
                         const Inspection& seen, std::int32_t winner) {
  const auto section = html.in("section", {{"class", "poses"}});
  html.put("h3", "Poses as frames");
  const auto figure = html.in("figure");
  show(html, prefix + "-frames", drawn_frames(*loaded_.model, seen, canvas, winner),
       "Axes of the capsules with most evidence for " + loaded_.info.class_name(winner) +
           ", and thick ones of its own");
  const auto caption = html.in("figcaption");
  html.text("The " + std::to_string(framed_capsules) +
            " primary capsules with most evidence, each in the middle of what it sees, and, "
            "boxed, the capsule of " +
            loaded_.info.class_name(winner) + " where its pose says. ");
  mark(html, marks[0]);
  html.text("first and ");
  mark(html, marks[1]);
  html.text("second column of the pose, the longer one always as long. What they mean is the "
            "network's own: nobody told it which way is up.");
}

void Report::show_dimensions(Html& html, const std::string& prefix, const Inspection& seen,
                             std::int32_t k) {
  const Tensor frames = perturbed_frames(*loaded_.model, tape_, seen.outputs.capsules.value(), k);
  const std::int64_t H = frames.shape()[1], W = frames.shape()[2];
  const std::int64_t D = frames.shape()[0] / perturbation_steps;
  const std::string sheet_id = "sheet-" + prefix + "-" + std::to_string(k);
  const auto section = html.in("section", {{"class", "dimensions"}});
  html.put("h3", "What each dimension of the pose of " + loaded_.info.class_name(k) + " does");
  {
    const auto cells = html.in("div", {{"class", "cells"}, {"data-sheet", sheet_id}});
    for (std::int64_t d = 0; d < D; ++d) {
      const std::string name = "dimension " + std::to_string(d + 1);
      const auto cell = html.in("label");
      html.put("canvas", "",
               {{"width", std::to_string(W)},
                {"height", std::to_string(H)},
                {"data-row", std::to_string(d)},
                {"role", "img"},
                {"aria-label", "Reconstruction with " + name + " changed"}});
      html.single("input", {{"type", "range"},
                            {"min", "0"},
                            {"max", std::to_string(perturbation_steps - 1)},
                            {"value", std::to_string(perturbation_steps / 2)},
                            {"aria-label", name}});
      html.put("output", std::to_string(d + 1));
    }
  }
  const auto details = html.in("details", {{"open", "open"}});
  html.put("summary", "all " + std::to_string(D) + " x " + std::to_string(perturbation_steps) +
                          " reconstructions: -0.25 to 0.25 from left to right");
  const auto holder = html.in("div", {{"id", sheet_id}, {"class", "sheet"}});
  show(html, prefix + "-dimensions-" + std::to_string(k),
       canvas_of(contact_sheet(frames, perturbation_steps)),
       "Reconstructions of " + loaded_.info.class_name(k) +
           ": a row for each dimension of the pose, perturbed from -0.25 to 0.25");
}

} // namespace mereo
