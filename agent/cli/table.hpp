// Tables for people: rows of JSON objects as aligned columns.
#pragma once

#include <boost/json.hpp>
#include <ostream>
#include <span>
#include <string>

namespace vmirror {

/// One column: the key whose value it shows, and its title. A key with dots goes into nested
/// objects: "client.ip". Numbers are set to the right.
struct Column {
  const char* key;
  const char* title;
  bool wide = false;  ///< Shown with -o wide alone.
  /// Where the lines are too long for the terminal, columns are left out by this number from 1 up,
  /// until the last column (a reason) has room. 0: stays.
  int leaves = 0;
};

/// How a table is shown.
struct TableStyle {
  bool colour = false;    ///< The title is bold, and words that are states have their colour.
  std::size_t width = 0;  ///< Characters of a line; a longer one ends with "…". 0: any.
  bool wide = false;      ///< All columns.
};

/// One value as a cell: text as it is, arrays joined by commas, objects as key=value, fractions
/// with three digits, absent and null as `-`. Control characters become `?`, so that no name can
/// write to the terminal.
std::string cell(const boost::json::value* value);
/// The value at `key`, with dots; null when there is none.
const boost::json::value* find(const boost::json::object& row, std::string_view key);

/// Prints the title line and a line for each object of `rows`. Prints "none" where there are no
/// rows. Columns leave, and lines are cut, to the style's width.
void print_table(std::ostream& out, const boost::json::array& rows, std::span<const Column> columns,
                 TableStyle style);

}  // namespace vmirror
