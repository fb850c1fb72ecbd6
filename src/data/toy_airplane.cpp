#include "data/toy_parts.h"
#include "data/toys.h"

namespace mereo {

namespace {

constexpr double pi = std::numbers::pi;

struct Fuselage {
  double length, width, height;
};

/// A flat wing from a root outwards: z of the solid runs along it, x along the chord.
struct Wing {
  double span, chord, thickness, taper, sweep; // sweep: how far back the tip is, in spans
};

void add_wing(Part& plane, const std::string& name, const Vec3& root, const Wing& wing,
              const Vec3& outward) {
  Solid solid = Solid::box({wing.chord, wing.thickness, wing.span}, wing.taper);
  solid.form = Pose::shear(0, 2, -wing.sweep) * solid.form;
  // x stays ahead, z goes outwards.
  const Vec3 z = unit(outward), y = cross(z, {1, 0, 0});
  const Pose turn{{1, 0, z.x, 0, 0, y.y, z.y, 0, 0, y.z, z.z, 0, 0, 0, 0, 1}};
  const Vec3 middle = root + 0.5 * wing.span * outward - Vec3{0.5 * wing.span * wing.sweep, 0, 0};
  plane.parts.push_back({name, Pose::translation(middle) * turn, solid, {}});
}

void add_wings(Part& plane, const std::string& name, const Vec3& root, double apart,
               const Wing& wing, double dihedral) {
  for (const int side : {1, -1})
    add_wing(plane, name + " " + side_name(side), root + Vec3{0, side * apart, 0}, wing,
             {0, side * std::cos(dihedral), std::sin(dihedral)});
}

void add_propeller(Part& plane, const std::string& name, const Vec3& at, double diameter,
                   int blades, double turned) {
  Part propeller{name, Pose::translation(at), Solid::cone({0.12, 0.12, 0.18}), {}};
  propeller.pose = propeller.pose * turn_y(pi / 2);
  for (int i = 0; i < blades; ++i) {
    const double angle = turned + 2 * pi * i / blades;
    add_part(propeller, name + " blade " + std::to_string(i),
             0.25 * diameter * Vec3{std::cos(angle), std::sin(angle), 0},
             Solid::box({0.5 * diameter, 0.09, 0.03}), turn_z(angle));
  }
  plane.parts.push_back(std::move(propeller));
}

void add_fuselage(Part& plane, const Draws& d, const Fuselage& f) {
  const double nose = d.between("nose", 0.15, 0.45);
  switch (d.choose("fuselage kind", 3)) {
  case 0:
    add_part(plane, "fuselage", {}, Solid::ellipsoid({f.length, f.width, f.height}));
    break;
  case 1:
    add_part(plane, "fuselage", {0.05 * f.length, 0, 0},
             Solid::cylinder({f.height, f.width, 0.6 * f.length}), turn_y(pi / 2));
    add_part(plane, "nose", {0.35 * f.length, 0, 0},
             Solid::ellipsoid({2 * nose, f.width, f.height}));
    add_part(plane, "tail cone", {-0.4 * f.length, 0, 0.02},
             Solid::cylinder({f.height, f.width, 0.32 * f.length}, 0.25), turn_y(-pi / 2));
    break;
  case 2:
    add_part(plane, "fuselage", {0.1 * f.length, 0, 0},
             Solid::box({0.6 * f.length, 0.9 * f.width, 0.9 * f.height}, 0.85));
    add_part(plane, "nose", {0.4 * f.length + 0.25 * nose, 0, -0.05 * f.height},
             Solid::cylinder({0.8 * f.height, 0.8 * f.width, 0.5 * nose}, 0.5), turn_y(pi / 2));
    add_part(plane, "tail cone", {-0.35 * f.length, 0, 0.08 * f.height},
             Solid::box({0.7 * f.height, 0.75 * f.width, 0.34 * f.length}, 0.3), turn_y(-pi / 2));
    break;
  }
  if (d.chance("canopy", 0.7))
    add_part(
        plane, "canopy", {d.between("canopy at", 0.05, 0.32) * f.length, 0, 0.42 * f.height},
        Solid::ellipsoid({d.between("canopy length", 0.3, 0.6), 0.7 * f.width, 0.55 * f.height}));
}

void add_tail(Part& plane, const Draws& d, const Fuselage& f) {
  const double at = -0.42 * f.length, height = d.between("fin height", 0.25, 0.55);
  const Wing fin{height, d.between("fin chord", 0.22, 0.42), 0.05,
                 d.between("fin taper", 0.35, 0.9), d.between("fin sweep", 0, 0.8)};
  const Wing stabiliser{
      d.between("stabiliser", 0.25, 0.5), d.between("stabiliser chord", 0.18, 0.32), 0.05,
      d.between("stabiliser taper", 0.4, 1), d.between("stabiliser sweep", 0, 0.6)};
  const int kind = d.choose("tail kind", 4);
  if (kind == 0 || kind == 1)
    add_wing(plane, "fin", {at, 0, 0.1 * f.height}, fin, {0, 0, 1});
  if (kind == 2)
    for (const int side : {1, -1})
      add_wing(plane, std::string("fin ") + side_name(side),
               {at, side * 0.8 * stabiliser.span, -0.2 * height}, fin, {0, 0, 1});
  if (kind == 3) { // a V
    add_wings(plane, "fin", {at, 0, 0.1 * f.height}, 0, fin, 0.8);
    return;
  }
  const double up = kind == 1 ? 0.95 * height : 0.1 * f.height;
  add_wings(plane, "stabiliser", {at - (kind == 1 ? height * fin.sweep : 0), 0, up}, 0, stabiliser,
            0);
}

void add_engines(Part& plane, const Draws& d, const Fuselage& f, const Vec3& root,
                 const Wing& wing) {
  const int kind = d.choose("engines", 5), blades = 2 + d.choose("blades", 3);
  const double size = d.between("engine size", 0.14, 0.26),
               turned = d.between("blades turned", 0, 2);
  if (kind == 0)
    add_propeller(plane, "propeller", {0.5 * f.length + 0.08, 0, 0},
                  d.between("propeller", 0.5, 0.9), blades, turned);
  for (const int side : {1, -1})
    for (int i = 0; i < (kind == 3 ? 2 : 1); ++i) {
      const std::string where = std::string(" ") + side_name(side) + " " + std::to_string(i);
      const double out = wing.span * (0.35 + 0.3 * i);
      Vec3 at = root + Vec3{0.3 * wing.chord - out * wing.sweep, side * (0.4 * f.width + out),
                            -0.5 * size};
      if (kind == 4) // beside the tail
        at = {-0.28 * f.length, side * (0.5 * f.width + 0.4 * size), 0.25 * f.height};
      if (kind == 0)
        continue;
      if (kind == 1)
        at.z = root.z;
      add_bar(plane, "engine" + where, at - Vec3{1.1 * size, 0, 0}, at + Vec3{1.1 * size, 0, 0},
              size, 0.85);
      if (kind == 1)
        add_propeller(plane, "propeller" + where, at + Vec3{1.2 * size, 0, 0}, 3 * size, blades,
                      turned + side);
    }
}

void add_gear(Part& plane, const Draws& d, const Fuselage& f) {
  const double down = 0.5 * f.height + d.between("gear", 0.08, 0.25),
               apart = d.between("gear apart", 0.2, 0.4);
  const int kind = d.choose("gear kind", 3);
  if (kind == 2)
    return; // on its belly
  for (const int side : {1, -1}) {
    const std::string where = std::string(" ") + side_name(side);
    const Vec3 from{0.05 * f.length, side * 0.3 * f.width, -0.2 * f.height},
        to{0.05 * f.length, side * apart, -down};
    add_bar(plane, "strut" + where, from, to, 0.06);
    if (kind == 0)
      add_wheel(plane, "wheel" + where, to, 0.1, 0.08, true);
    else
      add_pod(plane, "float" + where, to - Vec3{0.45 * f.length, 0, 0},
              to + Vec3{0.4 * f.length, 0, 0}, 0.16);
  }
  if (kind == 0) {
    const double at = d.chance("nose wheel", 0.5) ? 0.38 * f.length : -0.4 * f.length;
    add_bar(plane, "strut", {at, 0, -0.1}, {at, 0, -down}, 0.05);
    add_wheel(plane, "wheel", {at, 0, -down}, 0.08, 0.06, true);
  }
}

} // namespace

Part toy_airplane(const Draws& d) {
  Part plane{"airplane", {}, {}, {}};
  const Fuselage f{d.between("length", 1.5, 2.3), d.between("width", 0.2, 0.42),
                   d.between("height", 0.22, 0.45)};
  const Wing wing{d.between("span", 0.8, 1.25), d.between("chord", 0.32, 0.65),
                  d.between("thickness", 0.05, 0.1), d.between("taper", 0.15, 1),
                  d.between("sweep", -0.1, 0.7)};
  const double level = 0.35 * (d.choose("level", 3) - 1) * f.height;
  const Vec3 root{d.between("wing at", -0.02, 0.2) * f.length + 0.3 * wing.span * wing.sweep, 0,
                  level};
  const double dihedral = d.degrees("dihedral", -6, 14);
  add_fuselage(plane, d, f);
  add_wings(plane, "wing", root, 0.25 * f.width, wing, dihedral);
  if (d.chance("biplane", 0.2)) {
    const double gap = d.between("gap", 0.3, 0.5);
    add_wings(plane, "upper wing", root + Vec3{0.05, 0, gap}, 0, wing, dihedral);
    for (const int side : {1, -1}) {
      const Vec3 foot = root + Vec3{-0.6 * wing.span * wing.sweep, side * 0.6 * wing.span, 0.05};
      add_bar(plane, std::string("wing strut ") + side_name(side), foot, foot + Vec3{0.05, 0, gap},
              0.05);
    }
  }
  add_tail(plane, d, f);
  add_engines(plane, d, f, root, wing);
  add_gear(plane, d, f);
  return plane;
}

} // namespace mereo
