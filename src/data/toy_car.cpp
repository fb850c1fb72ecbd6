#include "data/toy_parts.h"
#include "data/toys.h"

namespace mereo {

namespace {

struct Shell {
  double length, width, height, bottom;
  double top() const { return bottom + height; }
};

enum Style { saloon, hatchback, van, beetle, racer, styles };

void add_shell(Part& car, const Draws& d, Style style, const Shell& s) {
  const double slope = d.between("nose slope", 0, 0.5);
  if (style == beetle) {
    add_part(car, "shell", {0, 0, s.bottom + 0.4 * s.height},
             Solid::ellipsoid({s.length, s.width, 1.5 * s.height}));
    return;
  }
  if (style == racer) {
    add_bar(car, "shell", {-0.35 * s.length, 0, s.bottom + 0.5 * s.height},
            {0.5 * s.length, 0, s.bottom + 0.4 * s.height}, 0.5 * s.width, 0.4);
    add_part(car, "side pods", {-0.12 * s.length, 0, s.bottom + 0.35 * s.height},
             Solid::box({0.4 * s.length, 0.8 * s.width, 0.6 * s.height}, 0.85));
    return;
  }
  add_part(car, "shell", {0, 0, s.bottom + 0.5 * s.height},
           Solid::box({s.length, s.width, s.height}, d.between("shell ratio", 0.84, 1)));
  if (d.chance("wedge", 0.4)) {
    Solid nose = Solid::box({0.22 * s.length, 0.9 * s.width, 0.75 * s.height}, 0.8);
    nose.form = Pose::shear(0, 2, -slope) * nose.form;
    add_part(car, "nose", {0.52 * s.length, 0, s.bottom + 0.4 * s.height}, nose);
  }
}

/// The cabin, as the style has it; returns the height of the roof.
double add_cabin(Part& car, const Draws& d, Style style, const Shell& s) {
  const double height = d.between("cabin height", 0.2, 0.32),
               ratio = d.between("cabin ratio", 0.6, 0.88);
  const double width = 0.94 * s.width, shift = d.between("cabin at", -0.06, 0.06) * s.length;
  const auto cabin = [&](double length, double at, double tall, double narrow, double rake) {
    Solid solid = Solid::box({length * s.length, width, tall}, narrow);
    solid.form = Pose::shear(0, 2, rake) * solid.form;
    add_part(car, "cabin", {at * s.length + shift, 0, s.top() + 0.5 * tall}, solid);
    return s.top() + tall;
  };
  switch (style) {
  case saloon:
    return cabin(d.between("cabin length", 0.42, 0.56), -0.05, height, ratio, 0);
  case hatchback:
    return cabin(d.between("cabin length", 0.5, 0.64), -0.17, height, ratio, -0.2);
  case van:
    return cabin(d.between("cabin length", 0.7, 0.85), -0.08, 1.35 * height, 0.88, 0);
  case beetle:
    add_part(car, "cabin", {-0.04 * s.length + shift, 0, s.top()},
             Solid::ellipsoid({0.62 * s.length, 0.85 * s.width, 2.2 * height}));
    return s.top() + 1.1 * height;
  default: // a racer
    add_part(car, "cockpit", {-0.08 * s.length, 0, s.top() - 0.02},
             Solid::ellipsoid({0.3 * s.length, 0.32 * s.width, 0.9 * height}));
    add_part(car, "front wing", {0.5 * s.length, 0, s.bottom + 0.1 * s.height},
             Solid::box({0.14 * s.length, 1.05 * s.width, 0.05}));
    return s.top() + 0.4 * height;
  }
}

void add_extras(Part& car, const Draws& d, Style style, const Shell& s, double roof) {
  if (style == racer || d.chance("spoiler", 0.3)) {
    const double up = s.top() + d.between("spoiler height", 0.1, 0.28);
    add_part(car, "spoiler", {-0.46 * s.length, 0, up}, Solid::box({0.18, 0.95 * s.width, 0.05}));
    for (const int side : {1, -1})
      add_bar(car, std::string("spoiler strut ") + side_name(side),
              {-0.45 * s.length, side * 0.3 * s.width, s.bottom + 0.5 * s.height},
              {-0.46 * s.length, side * 0.3 * s.width, up}, 0.05);
  }
  const int top = style == racer ? 0 : d.choose("roof", 5);
  if (top == 1) // a light bar, or a taxi's sign
    add_part(car, "light bar", {-0.08 * s.length, 0, roof + 0.04},
             Solid::box({0.1, d.between("light bar", 0.2, 0.6), 0.1}));
  if (top == 2) // luggage
    add_part(car, "luggage", {-0.12 * s.length, 0, roof + 0.08},
             Solid::box({0.35 * s.length, 0.55 * s.width, 0.16}, 0.9));
  if (d.chance("bumpers", 0.5))
    for (const int end : {1, -1})
      add_part(car, end > 0 ? "front bumper" : "rear bumper",
               {end * (0.5 * s.length + 0.03), 0, s.bottom + 0.3 * s.height},
               Solid::box({0.1, 0.98 * s.width, 0.1}));
  if (d.chance("spare", 0.2))
    add_part(car, "spare wheel", {-0.5 * s.length - 0.06, 0, s.bottom + s.height},
             Solid::torus(0.36, 0.28), turn_y(std::numbers::pi / 2));
}

} // namespace

Part toy_car(const Draws& d) {
  Part car{"car", {}, {}, {}};
  const auto style = Style(d.choose("style", styles));
  const double radius = d.between("wheel radius", 0.14, 0.25);
  const Shell s{d.between("length", 1.5, 2.0), d.between("width", 0.6, 0.9),
                d.between("shell height", 0.2, 0.32), radius * d.between("clearance", 0.55, 1)};
  add_shell(car, d, style, s);
  add_extras(car, d, style, s, add_cabin(car, d, style, s));
  const bool tyres = d.chance("tyres", 0.6), fenders = style == beetle || d.chance("fenders", 0.3);
  const double wide = d.between("wheel width", 0.09, 0.2),
               base = d.between("wheelbase", 0.27, 0.36) * s.length;
  const double out = style == racer ? 0.52 : 0.47, larger = d.chance("hot rod", 0.2) ? 1.35 : 1;
  for (const bool front : {true, false})
    for (const int side : {1, -1}) {
      const std::string where = std::string(front ? " front " : " rear ") + side_name(side);
      const double r = front ? radius : larger * radius, x = front ? base : -base;
      add_wheel(car, "wheel" + where, {x, side * out * s.width, r}, r, wide, tyres);
      if (fenders)
        add_part(car, "fender" + where, {x, side * 0.44 * s.width, 1.1 * r},
                 Solid::ellipsoid({3 * r, 0.28 * s.width, 2 * r}));
    }
  return car;
}

} // namespace mereo
