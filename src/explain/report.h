// The report of build/explain: one page that needs nothing else, and its pictures beside it.
#pragma once

#include "explain/health.h"

#include "report/html.h"

#include <set>

namespace mereo {

/// An image to explain, as the network sees it.
struct ExplainedImage {
  std::string name;                // for people: a file name, or which one of a data set
  Tensor pixels;                   // (1, H, W, C)
  std::vector<std::int32_t> truth; // its classes, as many as the network tells; or unknown
};

class Report {
public:
  /// Makes the folder. Throws Error when that fails.
  Report(const std::string& folder, const LoadedModel& loaded, const std::string& checkpoint);
  /// Takes the folder away again if it made it and nothing came to be in it.
  ~Report();
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  /// Writes the pictures of an image and its part of the page.
  void add(const ExplainedImage& image);
  /// `data` says on what.
  void add(const Health& health, const std::string& data);
  /// Why there is no such part.
  void add_no_health(const std::string& why);
  /// Writes index.html, and takes away the pictures of an earlier report that stood there; returns
  /// its path.
  std::string write() const;

private:
  struct Card {
    std::string anchor, label, picture;
    bool told, wrong; // whether its classes are known, and others than those that were read
  };

  /// Writes NAME.png and shows it. `name` is made here, never from outside.
  void show(Html& html, const std::string& name, const Tensor& canvas, const std::string& alt);
  void show_look(Html& html, const std::string& prefix, const ExplainedImage& image,
                 const Outputs& outputs, const std::vector<std::int32_t>& predicted);
  void show_routing(Html& html, const std::string& prefix, const Tensor& canvas,
                    const Inspection& seen, std::int32_t first, std::int32_t second);
  void show_dimensions(Html& html, const std::string& prefix, const Inspection& seen,
                       std::int32_t k);
  void show_frames(Html& html, const std::string& prefix, const Tensor& canvas,
                   const Inspection& seen, std::int32_t winner);
  void head(Html& html) const;
  std::string class_names(const std::vector<std::int32_t>& classes,
                          const char* between = " and ") const;

  std::string folder_, checkpoint_;
  bool made_; // the folder
  const LoadedModel& loaded_;
  Tape tape_;
  std::vector<Card> cards_;
  std::set<std::string> pictures_; // names of the files written
  Html images_, health_;
};

/// The part of the page on health, without a heading.
void write_health(Html& html, const Health& health, const std::vector<std::string>& names);

} // namespace mereo
