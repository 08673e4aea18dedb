#include "server/metrics_writer.hpp"

#include "display.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

namespace health {
namespace {

bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Colons are for recording rules, and two underscores in front for Prometheus itself.
std::string valid_name(std::string_view name) {
  std::string valid;
  for (const char c : name) {
    const bool digit = c >= '0' && c <= '9';
    if (digit && valid.empty()) valid += '_';
    valid += is_letter(c) || digit ? c : '_';
  }
  valid.erase(0, std::min(valid.find_first_not_of('_'), valid.size()));
  if (valid.empty() || !is_letter(valid.front())) valid.insert(0, "x_");
  return valid;
}

std::string escaped(std::string_view text, bool quotes) {
  std::string safe;
  for (const char c : printable(text)) {
    if (c == '\\' || (c == '"' && quotes)) safe += '\\';
    safe += c;
  }
  return safe;
}

std::string value_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

}  // namespace

MetricsWriter::Labels::Labels(
    std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
  std::vector<std::string> names;
  for (const auto& [name, value] : labels) {
    if (value.empty()) continue;
    std::string valid = valid_name(name);
    if (std::ranges::find(names, valid) != names.end()) continue;
    text_ += (text_.empty() ? "{" : ",") + valid + "=\"" + escaped(value, true) + "\"";
    names.push_back(std::move(valid));
  }
  if (!text_.empty()) text_ += "}";
}

void MetricsWriter::gauge(std::string_view name, std::string_view help, double value,
                          const Labels& labels) {
  add(valid_name(name), help, false, value, labels);
}

void MetricsWriter::counter(std::string_view name, std::string_view help, double value,
                            const Labels& labels) {
  std::string valid = valid_name(name);
  if (!valid.ends_with("_total")) valid += "_total";
  add(std::move(valid), help, true, value, labels);
}

void MetricsWriter::add(std::string name, std::string_view help, bool counter, double value,
                        const Labels& labels) {
  auto family = by_name_.find(name);
  if (family == by_name_.end()) {
    Family& added =
        families_.emplace_back(Family{std::move(name), escaped(help, false), counter, {}, {}});
    family = by_name_.emplace(added.name, &added).first;
  }
  Family& into = *family->second;
  const auto known = into.by_labels.find(labels.text_);
  if (known == into.by_labels.end()) {
    Sample& sample = into.samples.emplace_back(Sample{labels.text_, value});
    into.by_labels.emplace(sample.labels, &sample);
  } else if (into.counter) {
    known->second->value += value;
  } else {
    known->second->value = value;
  }
}

std::string MetricsWriter::text() const {
  std::string text;
  for (const Family& family : families_) {
    const std::string& help = family.help.empty() ? family.name : family.help;
    text += "# HELP " + family.name + " " + help + "\n";
    text += "# TYPE " + family.name + (family.counter ? " counter\n" : " gauge\n");
    for (const Sample& sample : family.samples) {
      text += family.name;
      text += sample.labels;
      text += ' ';
      text += value_text(sample.value);
      text += '\n';
    }
  }
  return text;
}

}  // namespace health
