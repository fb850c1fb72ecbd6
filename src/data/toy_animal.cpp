#include "data/toy_parts.h"
#include "data/toys.h"

namespace mereo {

namespace {

struct Body {
  double length, width, height;
  Pose pose;
};

Body add_body(Part& animal, const Draws& d, double leg) {
  Body body{d.between("body length", 0.95, 1.5),
            d.between("body width", 0.32, 0.62),
            d.between("body height", 0.34, 0.72),
            {}};
  // Most stand level; a few sit, their front up.
  const double pitch =
      d.chance("sits", 0.2) ? d.degrees("sitting", 15, 35) : d.degrees("slope", -8, 12);
  body.pose = Pose::translation({0, 0,
                                 leg + 0.3 * body.height +
                                     0.4 * body.length * std::sin(std::max(0.0, pitch - 0.25))}) *
              turn_y(-pitch);
  const Vec3 size{body.length, body.width, body.height};
  Part trunk{"body", body.pose, Solid::ellipsoid(size), {}};
  switch (d.choose("body kind", 4)) {
  case 1: // a barrel with round ends
    trunk.solid = Solid::ellipsoid({1.1 * body.length, 0.95 * body.width, 0.95 * body.height});
    add_part(trunk, "chest", {0.28 * body.length, 0, 0},
             Solid::ellipsoid({0.6 * body.length, 1.05 * body.width, 1.15 * body.height}));
    break;
  case 2:
    trunk.solid = Solid::box({0.95 * body.length, 0.85 * body.width, 0.8 * body.height}, 0.85);
    break;
  case 3: // heavy behind
    add_part(trunk, "rump", {-0.25 * body.length, 0, 0.02},
             Solid::ellipsoid({0.65 * body.length, 1.15 * body.width, 1.2 * body.height}));
    break;
  }
  animal.parts.push_back(std::move(trunk));
  return body;
}

void add_legs(Part& animal, const Draws& d, const Body& body) {
  const double width = d.between("leg width", 0.1, 0.24), stride = d.between("stride", 0, 0.3);
  const double knee = d.between("knee", -0.16, 0.16), splay = d.between("splay", -0.05, 0.15);
  const double ratio = d.between("leg taper", 0.5, 1.05);
  const int foot = d.choose("foot", 3);
  for (const bool front : {true, false})
    for (const int side : {1, -1}) {
      const std::string where = std::string(front ? " front " : " hind ") + side_name(side);
      const Vec3 hip = body.pose.point(
          {(front ? 0.36 : -0.36) * body.length, side * 0.34 * body.width, -0.15 * body.height});
      const double step = stride * (front == (side > 0) ? 1 : -1);
      const Vec3 ground{hip.x + step, hip.y + side * splay, 0};
      const Vec3 joint = 0.5 * (hip + ground) + Vec3{front ? knee : -knee, 0, 0};
      add_bar(animal, "thigh" + where, hip, joint, 1.25 * width, 0.8);
      add_bar(animal, "shin" + where, joint, ground, width, ratio);
      if (foot == 1)
        add_part(animal, "foot" + where, ground + Vec3{0.3 * width, 0, 0.2 * width},
                 Solid::ellipsoid({1.9 * width, 1.3 * width, 0.6 * width}));
      if (foot == 2)
        add_part(animal, "foot" + where, ground + Vec3{0, 0, 0.2 * width},
                 Solid::cylinder({1.5 * width, 1.5 * width, 0.4 * width}, 0.8));
    }
}

void add_ears_and_horns(Part& head, const Draws& d, double size) {
  const int ears = d.choose("ears", 4);
  const double ear = d.between("ear size", 0.12, 0.3), horn = d.between("horn length", 0.2, 0.5);
  const bool horns = d.chance("horns", 0.4), swept = d.chance("horns swept", 0.5);
  for (const int side : {1, -1}) {
    const std::string where = std::string(" ") + side_name(side);
    const Vec3 at{-0.15 * size, side * 0.28 * size, 0.35 * size};
    if (ears == 1)
      add_bar(head, "ear" + where, at, at + Vec3{-0.2 * ear, side * 0.3 * ear, ear}, 0.5 * ear, 0);
    if (ears == 2) // hanging
      add_part(head, "ear" + where, at + Vec3{-0.1 * ear, side * 0.5 * ear, -0.7 * ear},
               Solid::ellipsoid({0.9 * ear, 0.25 * ear, 1.7 * ear}), turn_x(side * 0.25));
    if (ears == 3) // round and wide
      add_part(head, "ear" + where, at + Vec3{-0.2 * ear, side * 0.8 * ear, -0.1 * ear},
               Solid::ellipsoid({0.3 * ear, 1.8 * ear, 1.6 * ear}), turn_z(side * 0.4));
    if (horns)
      add_bar(head, "horn" + where, {0, side * 0.15 * size, 0.4 * size},
              Vec3{swept ? -0.7 * horn : 0.2 * horn, side * (0.15 * size + 0.6 * horn),
                   0.4 * size + 0.8 * horn},
              0.3 * horn, 0.1);
  }
}

void add_head(Part& animal, const Draws& d, const Body& body) {
  const double neck = d.between("neck length", 0.1, 0.75), angle = d.degrees("neck angle", 5, 75);
  const double size = d.between("head size", 0.24, 0.5), down = d.degrees("head down", -10, 50);
  const Vec3 root = body.pose.point({0.42 * body.length, 0, 0.15 * body.height});
  const Vec3 top = root + neck * Vec3{std::cos(angle), 0, std::sin(angle)};
  add_bar(animal, "neck", root - 0.1 * Vec3{1, 0, 0}, top, d.between("neck width", 0.18, 0.42),
          0.7);
  Part head{
      "head", Pose::translation(top + Vec3{0.2 * size, 0, 0.1 * size}) * turn_y(down), {}, {}};
  const double snout = d.between("snout", 0.1, 0.55);
  switch (d.choose("head kind", 3)) {
  case 0:
    head.solid = Solid::ellipsoid({1.2 * size, 0.8 * size, 0.9 * size});
    add_bar(head, "snout", {0.3 * size, 0, -0.08 * size}, {0.55 * size + snout, 0, -0.15 * size},
            0.55 * size, 0.7);
    break;
  case 1:
    head.solid = Solid::box({size, 0.7 * size, 0.8 * size}, 0.8);
    add_part(head, "snout", {0.45 * size + 0.5 * snout, 0, -0.15 * size},
             Solid::box({snout, 0.5 * size, 0.45 * size}, 0.9));
    break;
  case 2:
    head.solid = Solid::ellipsoid({size, 0.9 * size, size});
    add_bar(head, "snout", {0.2 * size, 0, -0.05 * size}, {0.6 * size + snout, 0, -0.2 * size},
            0.7 * size, 0.15);
    break;
  }
  if (d.chance("trunk", 0.2)) {
    const Vec3 a{0.5 * size, 0, -0.1 * size}, b{0.9 * size, 0, -0.8 * size},
        c{1.1 * size, 0, -1.6 * size};
    add_bar(head, "trunk upper", a, b, 0.45 * size, 0.75);
    add_bar(head, "trunk lower", b, c, 0.34 * size, 0.6);
  }
  add_ears_and_horns(head, d, size);
  animal.parts.push_back(std::move(head));
}

void add_back(Part& animal, const Draws& d, const Body& body) {
  const double tail = d.between("tail length", 0.25, 0.9);
  const Vec3 root = body.pose.point({-0.46 * body.length, 0, 0.12 * body.height});
  switch (d.choose("tail kind", 4)) {
  case 0:
    add_bar(animal, "tail", root, root + Vec3{-0.35 * tail, 0, -0.7 * tail}, 0.08, 0.6);
    break;
  case 1: // heavy, as that of a lizard
    add_bar(animal, "tail", root + Vec3{0.1, 0, -0.05}, root + Vec3{-1.1 * tail, 0, -0.25 * tail},
            0.6 * body.height, 0.1);
    break;
  case 2:
    add_pod(animal, "tail", root, root + Vec3{-0.5 * tail, 0, 0.6 * tail}, 0.2);
    break;
  case 3:
    add_part(animal, "tail", root, Solid::ellipsoid({0.16, 0.14, 0.16}));
    break;
  }
  const int back = d.choose("back", 5);
  const double rise = d.between("back height", 0.15, 0.4);
  for (int i = 0; back >= 3 && i < 5; ++i) {
    const double along = 0.18 * (i - 2) * body.length;
    const Vec3 at = body.pose.point({along, 0, 0.42 * body.height});
    if (back == 4) // plates
      add_part(animal, "plate " + std::to_string(i), at + Vec3{0, 0, 0.4 * rise},
               Solid::box({0.22 * body.length, 0.06, rise}, 0.25));
    else if (i == 1 || i == 3) // humps
      add_part(animal, "hump " + std::to_string(i), at,
               Solid::ellipsoid({0.35 * body.length, 0.6 * body.width, 1.8 * rise}));
  }
}

} // namespace

Part toy_animal(const Draws& d) {
  Part animal{"animal", {}, {}, {}};
  const Body body = add_body(animal, d, d.between("leg length", 0.35, 0.8));
  add_legs(animal, d, body);
  add_head(animal, d, body);
  add_back(animal, d, body);
  return animal;
}

} // namespace mereo
