#include "data/toy_parts.h"
#include "data/toys.h"

namespace mereo {

namespace {

constexpr double pi = std::numbers::pi;

struct Chassis {
  double length, width, top; // of the frame that carries cab and load
};

/// Returns where the cab ends, as an x.
double add_cab(Part& truck, const Draws& d, const Chassis& c) {
  const double length = d.between("cab length", 0.36, 0.5),
               height = d.between("cab height", 0.52, 0.8);
  const double hood = d.between("hood", 0.25, 0.5), ratio = d.between("cab ratio", 0.75, 1);
  const int kind = d.choose("cab kind", 4); // 0, 1: the engine below the cab; 2, 3: ahead of it
  double front = 0.5 * c.length;
  if (kind >= 2) {
    const double rise = d.between("hood height", 0.22, 0.36);
    add_part(truck, "hood", {front - 0.5 * hood, 0, c.top + 0.5 * rise},
             Solid::box({hood, (kind == 2 ? 0.9 : 0.7) * c.width, rise}, 0.88));
    front -= hood;
    if (kind == 3)
      for (const int side : {1, -1})
        add_part(truck, std::string("fender ") + side_name(side),
                 {front + 0.5 * hood, side * 0.42 * c.width, c.top + 0.02},
                 Solid::ellipsoid({hood, 0.22 * c.width, 0.3}));
  }
  Solid cab = Solid::box({length, c.width, height}, ratio);
  if (kind == 1) // a raked front
    cab.form = Pose::shear(0, 2, -0.15) * cab.form;
  add_part(truck, "cab", {front - 0.5 * length, 0, c.top + 0.5 * height}, cab);
  if (d.chance("deflector", 0.3))
    add_part(truck, "deflector", {front - 0.55 * length, 0, c.top + height + 0.06},
             Solid::box({0.7 * length, 0.7 * c.width, 0.14}, 0.5));
  if (d.chance("beacon", 0.3))
    add_part(truck, "beacon", {front - 0.3 * length, 0, c.top + height + 0.03},
             Solid::box({0.1, 0.6 * c.width, 0.08}));
  if (d.chance("stacks", 0.35))
    for (const int side : {1, -1})
      add_bar(truck, std::string("stack ") + side_name(side),
              {front - length - 0.04, side * 0.42 * c.width, c.top},
              {front - length - 0.04, side * 0.42 * c.width, c.top + 1.25 * height}, 0.07);
  return front - length;
}

void add_logs(Part& truck, const Chassis& c, double begin, double end) {
  for (int i = 0; i < 5; ++i) { // three, and two on them
    const double y = (i < 3 ? i - 1.0 : i - 3.5) * 0.3 * c.width, z = c.top + (i < 3 ? 0.14 : 0.36);
    add_bar(truck, "log " + std::to_string(i), {begin, y, z}, {end, y, z}, 0.28 * c.width);
  }
}

void add_crates(Part& truck, const Chassis& c, double middle, double length, double height) {
  add_part(truck, "bed", {middle, 0, c.top + 0.04}, Solid::box({length, c.width, 0.08}));
  add_part(truck, "crate 0", {middle + 0.2 * length, 0.1 * c.width, c.top + 0.08 + 0.3 * height},
           Solid::box({0.4 * length, 0.6 * c.width, 0.6 * height}));
  add_part(truck, "crate 1", {middle - 0.25 * length, -0.1 * c.width, c.top + 0.08 + 0.2 * height},
           Solid::box({0.32 * length, 0.7 * c.width, 0.4 * height}));
}

void add_mixer(Part& truck, const Chassis& c, double middle, double length) {
  const double width = 0.85 * c.width;
  add_part(truck, "drum", {middle - 0.12 * length, 0, c.top + 0.5 * c.width},
           Solid::cylinder({width, width, 0.62 * length}, 0.45), turn_y(-pi / 2 + 0.3));
  add_part(truck, "drum front", {middle + 0.25 * length, 0, c.top + 0.36 * c.width},
           Solid::cylinder({width, width, 0.25 * length}, 0.6), turn_y(pi / 2 + 0.3));
}

void add_crane(Part& truck, const Chassis& c, double middle, double length, double height) {
  add_part(truck, "turret", {middle, 0, c.top + 0.16},
           Solid::cylinder({0.6 * c.width, 0.6 * c.width, 0.32}, 0.8));
  add_bar(truck, "boom", {middle - 0.1, 0, c.top + 0.25},
          {middle + 0.75 * length, 0, c.top + 0.3 + 1.2 * height}, 0.14, 0.7);
}

void add_load(Part& truck, const Draws& d, const Chassis& c, double cab_end) {
  const double begin = -0.5 * c.length, end = cab_end - d.between("gap", 0.02, 0.12);
  const double length = end - begin, middle = 0.5 * (begin + end),
               height = d.between("load height", 0.45, 0.85);
  const bool variant = d.chance("load variant", 0.5);
  switch (d.choose("load", 5)) {
  case 0: // a van's box
    add_part(truck, "box", {middle, 0, c.top + 0.5 * height + 0.08},
             Solid::box({length, 1.05 * c.width, height}, 0.98));
    break;
  case 1:
    add_part(truck, "tank", {middle, 0, c.top + 0.42 * c.width},
             Solid::cylinder({0.8 * c.width, 0.95 * c.width, length}), turn_y(pi / 2));
    add_part(truck, "manhole", {middle, 0, c.top + 0.85 * c.width},
             Solid::cylinder({0.2, 0.2, 0.12}));
    break;
  case 2: // a tipper
    add_part(truck, "tray", {middle, 0, c.top + 0.5 * height},
             Solid::box({0.8 * length, 0.8 * c.width, 0.7 * height}, 1.3),
             turn_y(d.degrees("tipped", 0, 28)));
    break;
  case 3:
    variant ? add_logs(truck, c, begin, end) : add_crates(truck, c, middle, length, height);
    break;
  case 4:
    variant ? add_mixer(truck, c, middle, length) : add_crane(truck, c, middle, length, height);
    break;
  }
}

} // namespace

Part toy_truck(const Draws& d) {
  Part truck{"truck", {}, {}, {}};
  const double radius = d.between("wheel radius", 0.14, 0.25),
               thickness = d.between("frame", 0.1, 0.18);
  const Chassis c{d.between("length", 1.8, 2.4), d.between("width", 0.56, 0.82),
                  radius + thickness + d.between("clearance", 0, 0.08)};
  add_part(truck, "frame", {0, 0, c.top - 0.5 * thickness},
           Solid::box({c.length, 0.85 * c.width, thickness}));
  add_load(truck, d, c, add_cab(truck, d, c));
  const int axles = 1 + d.choose("rear axles", 3);
  const bool tyres = d.chance("tyres", 0.6);
  const double wide = d.between("wheel width", 0.1, 0.18),
               back = d.between("axle at", 0.28, 0.36) * c.length;
  for (int i = 0; i <= axles; ++i)
    for (const int side : {1, -1}) {
      const double x = i == 0 ? 0.5 * c.length - 1.5 * radius : -back + (i - 1) * 2.15 * radius;
      add_wheel(truck, "wheel " + std::to_string(i) + " " + side_name(side),
                {x, side * 0.45 * c.width, radius}, radius, wide, tyres);
    }
  if (d.chance("bumper", 0.6))
    add_part(truck, "bumper", {0.5 * c.length + 0.04, 0, c.top - 0.6 * thickness},
             Solid::box({0.08, c.width, 0.12}));
  return truck;
}

} // namespace mereo
