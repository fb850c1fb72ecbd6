#include "data/toy_parts.h"
#include "data/toys.h"

namespace mereo {

namespace {

struct Torso {
  double length, width, depth;
  Pose pose; // its middle; z from the hips to the neck
};

enum Stance { standing, striding, kneeling, seated, stooping, stances };

void add_legs(Part& human, const Draws& d, Stance stance, const Vec3& hips, double leg,
              double apart) {
  const double width = d.between("leg width", 0.11, 0.22), step = d.between("step", 0.2, 0.45);
  const double shin = 0.5 * leg;
  for (const int side : {1, -1}) {
    const std::string where = std::string(" ") + side_name(side);
    const Vec3 hip = hips + Vec3{0, 0.5 * side * apart, 0};
    Vec3 ground{0, side * (0.5 * apart + d.between("spread", 0, 0.22)), 0.05};
    Vec3 knee = 0.5 * (hip + ground) + Vec3{0.06, 0, 0};
    if (stance == striding) {
      ground.x = side * step;
      knee = 0.5 * (hip + ground) + Vec3{side > 0 ? 0.1 : 0.02, 0, 0.02};
    } else if (stance == kneeling) {
      knee = side > 0 ? hip + Vec3{0.8 * shin, 0, -0.1} : Vec3{0.05, hip.y, 0.08};
      ground = side > 0 ? Vec3{knee.x, knee.y, 0.05} : Vec3{-0.9 * shin, hip.y, 0.08};
    } else if (stance == seated) {
      knee = hip + Vec3{shin, side * 0.08, 0.03};
      ground = {knee.x + 0.1, knee.y, 0.05};
    }
    add_bar(human, "thigh" + where, hip, knee, 1.2 * width, 0.85);
    add_bar(human, "shin" + where, knee, ground, width, 0.8);
    const bool toes = stance == kneeling && side < 0;
    if (!toes)
      add_part(human, "foot" + where, ground + Vec3{0.08, 0, 0},
               Solid::box({0.3, 0.9 * width, 0.1}, 0.85));
  }
}

/// Returns where the hand is.
Vec3 add_arm(Part& human, const Draws& d, const Torso& torso, int side, double width) {
  const std::string where = std::string(" ") + side_name(side);
  const double arm = d.between("arm length", 0.5, 0.8);
  const Vec3 shoulder =
      torso.pose.point({0, side * (0.5 * torso.width + 0.3 * width), 0.42 * torso.length});
  // How far ahead, outwards and up the elbow and the hand are, in lengths of half an arm.
  static constexpr Vec3 gestures[][2] = {
      {{0.05, 0.2, -1}, {0.25, 0.3, -1.9}},   // hanging
      {{0.3, 0.5, 0.5}, {0.4, 0.5, 1.5}},     // raised
      {{0.3, 0.3, -0.9}, {1.2, 0.1, -0.7}},   // held out ahead
      {{0, 1, -0.1}, {0.1, 1.9, 0.1}},        // held out to the side
      {{-0.2, 0.75, -0.7}, {0.2, 0.2, -1.2}}, // hand on hip
  };
  const auto& [elbow_at, hand_at] = gestures[d.choose("gesture" + where, 5)];
  const auto reached = [&](const Vec3& v) {
    return shoulder + 0.5 * arm * Vec3{v.x, side * v.y, v.z};
  };
  const Vec3 elbow = reached(elbow_at), hand = reached(hand_at);
  add_bar(human, "upper arm" + where, shoulder, elbow, 1.1 * width, 0.9);
  add_bar(human, "forearm" + where, elbow, hand, width, 0.8);
  add_part(human, "hand" + where, hand, Solid::ellipsoid({1.2 * width, 1.2 * width, 1.3 * width}));
  return hand;
}

void add_head(Part& human, const Draws& d, const Torso& torso) {
  const double size = d.between("head size", 0.24, 0.42);
  const Vec3 neck = torso.pose.point({0, 0, 0.5 * torso.length});
  Part head{"head", Pose::translation(neck + Vec3{0.03, 0, 0.55 * size}), {}, {}};
  head.solid = d.chance("square head", 0.2)
                   ? Solid::box({0.8 * size, 0.8 * size, size}, 0.95)
                   : Solid::ellipsoid({0.9 * size, 0.8 * size, 1.1 * size});
  const double brim = d.between("brim", 1.4, 2.2) * size;
  switch (d.choose("hat", 6)) {
  case 1: // with a brim
    add_part(head, "brim", {0, 0, 0.3 * size}, Solid::cylinder({brim, brim, 0.06}));
    add_part(head, "crown", {0, 0, 0.55 * size},
             Solid::cylinder({0.9 * size, 0.85 * size, 0.5 * size}, 0.85));
    break;
  case 2: // pointed
    add_part(head, "hat", {0, 0, 0.75 * size}, Solid::cone({1.2 * size, 1.2 * size, 1.1 * size}));
    break;
  case 3: // helmet
    add_part(head, "helmet", {0, 0, 0.12 * size},
             Solid::ellipsoid({1.25 * size, 1.15 * size, 1.2 * size}));
    break;
  case 4: // peaked cap
    add_part(head, "cap", {0, 0, 0.45 * size},
             Solid::cylinder({1.05 * size, size, 0.35 * size}, 1.15));
    add_part(head, "peak", {0.55 * size, 0, 0.32 * size},
             Solid::box({0.5 * size, 0.7 * size, 0.05}));
    break;
  case 5: // hair
    add_part(head, "hair", {-0.15 * size, 0, 0.05 * size},
             Solid::ellipsoid({size, 1.1 * size, 1.3 * size}));
    break;
  }
  human.parts.push_back(std::move(head));
}

void add_gear(Part& human, const Draws& d, const Torso& torso, const Vec3& left,
              const Vec3& right) {
  switch (d.choose("held right", 4)) {
  case 1: // a staff or a rifle
    add_bar(human, "staff", right + Vec3{-0.15, 0, -0.5}, right + Vec3{0.2, 0, 0.8}, 0.06);
    break;
  case 2:
    add_part(human, "tool", right + Vec3{0.25, 0, 0.1}, Solid::box({0.7, 0.06, 0.12}, 0.8),
             turn_y(-0.5));
    break;
  }
  switch (d.choose("held left", 5)) {
  case 1:
    add_part(human, "shield", left + Vec3{0.1, 0.05, 0.05},
             Solid::cylinder({0.55, 0.55, 0.06}, 0.9), turn_y(1.2) * turn_x(0.3));
    break;
  case 2:
    add_part(human, "case", left + Vec3{0, 0, -0.2}, Solid::box({0.4, 0.14, 0.3}));
    break;
  }
  switch (d.choose("worn", 5)) {
  case 1:
    add_part(human, "pack", torso.pose.point({-0.5 * torso.depth - 0.1, 0, 0.1}),
             Solid::box({0.25, 0.8 * torso.width, 0.75 * torso.length}, 0.85));
    break;
  case 2:
    add_part(human, "cape", torso.pose.point({-0.5 * torso.depth - 0.06, 0, -0.3 * torso.length}),
             Solid::box({0.08, 1.5 * torso.width, 1.6 * torso.length}, 0.6), turn_y(0.15));
    break;
  case 3:
    add_part(human, "skirt", torso.pose.point({0, 0, -0.6 * torso.length}),
             Solid::cylinder({1.5 * torso.width, 1.7 * torso.width, 0.8 * torso.length}, 0.5));
    break;
  }
}

} // namespace

Part toy_human(const Draws& d) {
  Part human{"human", {}, {}, {}};
  const auto stance = Stance(d.choose("stance", stances));
  const double leg = d.between("leg length", 0.65, 1.0);
  Torso torso{d.between("torso length", 0.5, 0.8),
              d.between("shoulders", 0.34, 0.62),
              d.between("chest", 0.2, 0.36),
              {}};
  const double height = stance == kneeling || stance == seated ? 0.55 * leg
                        : stance == striding                   ? 0.94 * leg
                                                               : leg;
  const Vec3 hips{0, 0, height};
  const double lean = stance == stooping ? d.degrees("stoop", 25, 50) : d.degrees("lean", -5, 18);
  torso.pose =
      Pose::translation(hips) * turn_y(lean) * Pose::translation({0, 0, 0.5 * torso.length});

  const Vec3 size{torso.depth, torso.width, torso.length};
  Part trunk{"torso", torso.pose, Solid::box({size.x, 0.75 * size.y, size.z}, 1.3), {}};
  switch (d.choose("torso kind", 3)) {
  case 1:
    trunk.solid = Solid::cylinder({size.x, 0.8 * size.y, size.z}, 1.2);
    break;
  case 2:
    trunk.solid = Solid::ellipsoid({1.3 * size.x, size.y, 1.15 * size.z});
    break;
  }
  human.parts.push_back(std::move(trunk));
  add_part(human, "pelvis", hips, Solid::ellipsoid({1.15 * torso.depth, 0.85 * torso.width, 0.3}));
  add_legs(human, d, stance, hips, leg, 0.5 * torso.width);
  const double width = d.between("arm width", 0.1, 0.18);
  const Vec3 left = add_arm(human, d, torso, 1, width), right = add_arm(human, d, torso, -1, width);
  add_head(human, d, torso);
  add_gear(human, d, torso, left, right);
  if (stance == seated)
    add_part(human, "seat", {-0.05, 0, 0.5 * height - 0.08},
             Solid::box({0.5, 0.55, height - 0.16}, 0.9));
  switch (d.choose("base", 4)) {
  case 1:
    add_part(human, "base", {0.05, 0, -0.04}, Solid::cylinder({1, 0.8, 0.08}, 0.9));
    break;
  case 2:
    add_part(human, "base", {0.05, 0, -0.04}, Solid::box({0.9, 0.75, 0.08}, 0.9));
    break;
  }
  return human;
}

} // namespace mereo
