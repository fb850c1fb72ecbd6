// The part of a report on the health of a network: tables, and one drawing.
#include "explain/report.h"

#include "report/numbers.h"

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

std::string name_of(const std::vector<std::string>& names, std::size_t k) {
  return k < names.size() ? names[k] : std::to_string(k);
}

/// A row of a table of bars: `share` of the whole track.
void bar(Html& html, const std::string& name, double share, const std::string& value,
         bool winner = false) {
  const auto row = html.in("tr", {{"class", winner ? "winner" : ""}});
  html.put("th", name, {{"scope", "row"}});
  {
    const auto track = html.in("td", {{"class", "track"}});
    html.put("span", "",
             {{"style", "width:" + fixed_number(100 * std::clamp(share, 0.0, 1.0), 1) + "%"}});
  }
  html.put("td", value, {{"class", "number"}});
}

void write_iterations(Html& html, const Health& health) {
  if (health.error_percent.empty())
    return;
  const auto block = html.in("section");
  html.put("h3", "What each routing iteration gains");
  html.put("p", "A network is tuned to the number of iterations that it was trained with: with "
                "fewer or more it can be worse.");
  const auto table = html.in("table", {{"class", "bars"}});
  html.put("caption", "error of the same parameters, routed so often");
  const double most = std::max(1e-9, *std::ranges::max_element(health.error_percent));
  for (std::size_t r = 0; r < health.error_percent.size(); ++r) {
    const bool trained = r + 1 == health.iterations;
    const double rise = r > 0 ? health.error_percent[r] - health.error_percent[r - 1] : 0;
    bar(html, std::to_string(r + 1) + (trained ? " (as trained)" : ""),
        health.error_percent[r] / most,
        fixed_number(health.error_percent[r], 2) + " %" +
            (r == 0 ? "" : " (" + std::string(rise > 0 ? "+" : "") + fixed_number(rise, 2) + ")"),
        trained);
  }
}

void write_layer(Html& html, const LayerHealth& layer) {
  const auto block = html.in("section");
  html.put("h3", "Children of " + layer.name);
  std::string dead;
  for (const std::int64_t type : layer.dead)
    dead += (dead.empty() ? "" : ", ") + std::to_string(type);
  html.put("p", std::to_string(layer.dead.size()) + " of " + std::to_string(layer.types) +
                    " types are dead: never above " + fixed_number(double(capsule_on), 1) +
                    (dead.empty() ? "" : " (" + dead + ")") + ". " +
                    fixed_number(100 * layer.sparsity, 1) + " % of capsules are off.");
  if (layer.entropy.empty() || !std::isfinite(layer.entropy[0]))
    return;
  const auto table = html.in("table", {{"class", "bars"}});
  html.put("caption", "entropy of couplings: 1 is undecided, 0 is decided");
  for (std::size_t t = 0; t < layer.entropy.size(); ++t)
    bar(html, "iteration " + std::to_string(t + 1), layer.entropy[t],
        fixed_number(layer.entropy[t], 3));
}

/// Least to most as a thin bar, the middle half as a thick one, the median as a gap.
void write_quantiles(Html& html, const Quantiles& q, double y, const std::string& kind,
                     double width) {
  const auto x = [&](double score) { return fixed_number(width * std::clamp(score, 0.0, 1.0), 1); };
  const auto span = [&](double from, double to, double height) {
    html.put("rect", "",
             {{"class", kind},
              {"x", x(from)},
              {"y", fixed_number(y - height / 2, 1)},
              {"width", fixed_number(std::max(1.0, width * (std::clamp(to, 0.0, 1.0) -
                                                            std::clamp(from, 0.0, 1.0))),
                                     1)},
              {"height", fixed_number(height, 1)}});
  };
  span(q[0], q[4], 2);
  span(q[1], q[3], 8);
  html.put("circle", "",
           {{"class", "median"}, {"cx", x(q[2])}, {"cy", fixed_number(y, 1)}, {"r", "2.5"}});
}

void write_classes(Html& html, const Health& health, const std::vector<std::string>& names) {
  constexpr double width = 300;
  const auto block = html.in("section", {{"class", "spreads"}});
  html.put("h3", "Activations of the class capsules");
  {
    const auto legend = html.in("p");
    html.put("span", "", {{"class", "mark present"}});
    html.text("on images of the class, ");
    html.put("span", "", {{"class", "mark absent"}});
    html.text("on others: least to most, the middle half thick, the median a dot");
  }
  const auto table = html.in("table", {{"class", "spread"}});
  {
    const auto row = html.in("tr");
    html.put("th", "class", {{"scope", "col"}});
    html.put("th", "0 to 1", {{"scope", "col"}});
    html.put("th", "medians", {{"scope", "col"}});
  }
  for (std::size_t k = 0; k < health.classes.size(); ++k) {
    const ClassHealth& c = health.classes[k];
    const auto row = html.in("tr");
    html.put("th", name_of(names, k), {{"scope", "row"}});
    {
      const auto cell = html.in("td");
      const auto drawing =
          html.in("svg", {{"viewBox", "-4 0 308 28"},
                          {"role", "img"},
                          {"aria-label", "Spread of activations of " + name_of(names, k)}});
      html.put("line", "",
               {{"class", "axis"}, {"x1", "0"}, {"x2", "300"}, {"y1", "27"}, {"y2", "27"}});
      if (c.images > 0)
        write_quantiles(html, c.present, 8, "present", width);
      if (c.images < health.images)
        write_quantiles(html, c.absent, 19, "absent", width);
    }
    html.put("td",
             (c.images > 0 ? fixed_number(c.present[2], 2) : "none") + " / " +
                 fixed_number(c.absent[2], 2),
             {{"class", "number"}});
  }
}

} // namespace

void write_health(Html& html, const Health& health, const std::vector<std::string>& names) {
  {
    const auto grid = html.in("div", {{"class", "health"}});
    write_iterations(html, health);
    for (const LayerHealth& layer : health.layers)
      write_layer(html, layer);
  }
  write_classes(html, health, names);
}

} // namespace mereo
