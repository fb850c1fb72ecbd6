#include "explain/report.h"

#include "io/file.h"
#include "io/picture_bytes.h"
#include "report/numbers.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace mereo {

namespace {

constexpr std::string_view style =
#include "explain/report.css.h"
    ;
constexpr std::string_view script =
#include "explain/report.js.h"
    ;

constexpr std::string_view title = "Mereo: what the network saw";
constexpr std::string_view kinds_of_pictures[] = {
    "-input.", "-reconstruction", "-overlaid.", "-winner-", "-second-", "-frames.", "-dimensions-"};

/// As image_section.cpp names them: "012-input.png".
bool is_picture_of_report(const std::string& name) {
  const std::size_t digits = name.find_first_not_of("0123456789");
  if (digits == name.npos || digits < 3 || !name.ends_with(".png"))
    return false;
  const std::string_view what = std::string_view(name).substr(digits);
  return std::ranges::any_of(kinds_of_pictures,
                             [&](std::string_view kind) { return what.starts_with(kind); });
}

/// Whether the folder holds a report already.
bool is_report(const std::string& page) {
  std::error_code ignored;
  return std::filesystem::exists(page, ignored) && read_file(page).find(title) != std::string::npos;
}

/// Takes away what an earlier report showed and this one does not.
void remove_others(const std::string& folder, const std::set<std::string>& pictures) {
  std::error_code ignored;
  std::vector<std::filesystem::path> others;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (const std::string name = entry.path().filename().string();
        is_picture_of_report(name) && !pictures.contains(name))
      others.push_back(entry.path());
  for (const auto& path : others)
    std::filesystem::remove(path, ignored);
}

} // namespace

Report::Report(const std::string& folder, const LoadedModel& loaded, const std::string& checkpoint)
    : folder_(folder), checkpoint_(checkpoint), made_(make_folder(folder)), loaded_(loaded) {}

Report::~Report() {
  std::error_code ignored;
  if (made_)
    std::filesystem::remove(folder_, ignored); // only if it is empty
}

std::string Report::class_names(const std::vector<std::int32_t>& classes,
                                const char* between) const {
  std::string text;
  for (const std::int32_t k : classes)
    text += (text.empty() ? "" : between) + loaded_.info.class_name(k);
  return text;
}

void Report::show(Html& html, const std::string& name, const Tensor& canvas,
                  const std::string& alt) {
  const std::string path = folder_ + "/" + name + ".png", png = png_bytes(path, canvas);
  write_file_atomically(path, png);
  pictures_.insert(name + ".png");
  html.single("img", {{"src", png_uri(png)},
                      {"alt", alt},
                      {"width", std::to_string(canvas.shape()[1])},
                      {"height", std::to_string(canvas.shape()[0])}});
}

void Report::add(const Health& health, const std::string& data) {
  health_.put("p", "Over " + std::to_string(health.images) + " images of " + data + ".");
  write_health(health_, health, loaded_.info.class_names);
}

void Report::add_no_health(const std::string& why) {
  health_.put("p", why);
}

void Report::head(Html& html) const {
  const CheckpointInfo& info = loaded_.info;
  html.put("h1", "What the network saw");
  const auto list = html.in("dl", {{"class", "facts"}});
  const auto fact = [&](const char* name, const std::string& value) {
    const auto item = html.in("div");
    html.put("dt", name);
    html.put("dd", value);
  };
  fact("checkpoint", checkpoint_);
  fact("network",
       info.model + ", " + std::to_string(loaded_.model->parameters().elements()) + " parameters");
  fact("trained on",
       info.data + ", " + std::to_string(info.epochs) + (info.epochs == 1 ? " epoch" : " epochs"));
  if (std::isfinite(info.validation_error_percent))
    fact("validation error", fixed_number(info.validation_error_percent, 2) + " %");
  const auto told = std::ranges::count_if(cards_, &Card::told);
  const auto wrong = std::ranges::count_if(cards_, &Card::wrong);
  if (!cards_.empty())
    fact("here", std::to_string(cards_.size()) + (cards_.size() == 1 ? " image" : " images") +
                     (told > 0 ? ", " + std::to_string(wrong) + " wrong" : ""));
}

std::string Report::write() const {
  Html html;
  html.raw("<!DOCTYPE html>\n");
  {
    const auto root = html.in("html", {{"lang", "en"}});
    {
      const auto meta = html.in("head");
      html.single("meta", {{"charset", "utf-8"}});
      html.single("meta",
                  {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
      html.put("title", title);
      const auto element = html.in("style");
      html.raw(style);
    }
    const auto body = html.in("body");
    {
      const auto header = html.in("header", {{"class", "top"}});
      head(html);
      if (cards_.size() > 1) {
        const auto nav = html.in("nav", {{"aria-label", "images"}});
        for (const Card& card : cards_) {
          const auto link =
              html.in("a", {{"href", "#" + card.anchor}, {"class", card.wrong ? "wrong" : ""}});
          html.single("img", {{"src", card.picture}, {"alt", ""}});
          html.text(card.label);
        }
      }
      const auto line = html.in("p");
      html.put("a", "Health of the network", {{"href", "#health"}});
    }
    {
      const auto main = html.in("main");
      html.raw(images_.page());
      const auto card = html.in("article", {{"class", "card"}, {"id", "health"}});
      html.put("h2", "Health");
      html.raw(health_.page());
    }
    const auto element = html.in("script");
    html.raw(script);
  }
  const std::string path = folder_ + "/index.html";
  const bool again = is_report(path);
  write_file_atomically(path, html.page());
  if (again)
    remove_others(folder_, pictures_);
  return path;
}

} // namespace mereo
