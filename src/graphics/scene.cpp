#include <mereo/graphics.h>

namespace mereo {

namespace {

void place_below(const Part& part, const Pose& pose, std::vector<PlacedPart>& placed) {
  placed.push_back({&part, pose});
  for (const Part& inner : part.parts)
    place_below(inner, pose * inner.pose, placed);
}

template <class T> void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

} // namespace

std::vector<PlacedPart> place(const Part& whole, const Pose& pose) {
  std::vector<PlacedPart> placed;
  place_below(whole, pose, placed);
  return placed;
}

void Scene::add(const Part& whole, const Pose& pose, double albedo, int segments) {
  for (const PlacedPart& placed : place(whole, pose))
    if (placed.part->solid.kind != Solid::Kind::none)
      add(mesh_of(placed.part->solid, segments, albedo), placed.pose);
}

void Scene::add(const Mesh& mesh, const Pose& pose) {
  const std::size_t corners = mesh.positions.size(), first = mesh_.positions.size();
  if (mesh.normals.size() != corners || mesh.albedo.size() != corners)
    throw Error("Scene::add", "each corner of a mesh needs a position, a normal and an albedo");
  const Mesh placed = moved(mesh, pose);
  for (auto triangle : placed.triangles) {
    for (std::int32_t& corner : triangle) {
      if (corner < 0 || std::size_t(corner) >= corners)
        throw Error("Scene::add", "a triangle names a corner that is not there",
                    std::to_string(corner) + " of " + std::to_string(corners));
      corner += std::int32_t(first);
    }
    mesh_.triangles.push_back(triangle);
  }
  append(mesh_.positions, placed.positions);
  append(mesh_.normals, placed.normals);
  append(mesh_.albedo, placed.albedo);
  owners_.resize(mesh_.triangles.size(), count_++);
}

} // namespace mereo
