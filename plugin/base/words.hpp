// Texts as lists of words.
#pragma once

#include <sstream>
#include <string>
#include <vector>

namespace vmirror {

/// What is between blanks.
inline std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(std::move(word));
  return out;
}

}  // namespace vmirror
