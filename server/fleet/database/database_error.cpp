#include "server/fleet/database/database_error.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace verbatim::database {
namespace {

/// SQLSTATE codes, or the classes that they begin with (PostgreSQL's manual, appendix A).
constexpr std::pair<std::string_view, Trouble> known_states[] = {
    {"53100", Trouble::full},     {"25006", Trouble::not_writable},
    {"28", Trouble::refused},     {"3D000", Trouble::refused},
    {"42501", Trouble::refused},  {"40", Trouble::conflict},
    {"42P07", Trouble::foreign},  {"42703", Trouble::foreign},
    {"42P01", Trouble::foreign},  {"57P", Trouble::unreachable},
    {"08", Trouble::unreachable}, {"53300", Trouble::unreachable},
    {"55P03", Trouble::conflict},
};

/// A connection that fails has a text but no code.
constexpr std::pair<std::string_view, Trouble> known_texts[] = {
    {"password authentication failed", Trouble::refused},
    {"no password supplied", Trouble::refused},
    {"no pg_hba.conf entry", Trouble::refused},
    {"does not exist", Trouble::refused},
    {"certificate", Trouble::refused},
    {"does not support SSL", Trouble::refused},
    {"SSL error", Trouble::refused},
    {"permission denied for database", Trouble::refused},
    {"session is read-only", Trouble::not_writable},
    {"server is in hot standby", Trouble::not_writable},
};

}  // namespace

const char* to_string(Trouble trouble) {
  switch (trouble) {
    case Trouble::unreachable:
      return "unreachable";
    case Trouble::not_writable:
      return "not_writable";
    case Trouble::refused:
      return "refused";
    case Trouble::full:
      return "full";
    case Trouble::newer_schema:
      return "newer_schema";
    case Trouble::foreign:
      return "foreign";
    case Trouble::fenced:
      return "fenced";
    case Trouble::no_replica:
      return "no_replica";
    case Trouble::conflict:
      return "conflict";
    case Trouble::other:
      break;
  }
  return "other";
}

const char* advice_for(Trouble trouble) {
  switch (trouble) {
    case Trouble::unreachable:
      return "check that the database runs and that fleet.url names its hosts";
    case Trouble::not_writable:
      return "check that the cluster has a primary, and that fleet.url names every member";
    case Trouble::refused:
      return "check user, password, database name, rights and certificate: docs/fleet.md";
    case Trouble::full:
      return "free space on the disk of the database";
    case Trouble::newer_schema:
      return "run that version of this program, or a newer one";
    case Trouble::foreign:
      return "give the fleet a database of its own";
    case Trouble::fenced:
      return "run one process for each data directory, and never a copy of one";
    case Trouble::no_replica:
      return "repair the replica, or see fleet.require_replica";
    case Trouble::conflict:
    case Trouble::other:
      break;
  }
  return "";
}

std::string public_reason(Trouble trouble) {
  switch (trouble) {
    case Trouble::fenced:
      return "a newer process with the same node_id is in the fleet; see the log";
    case Trouble::no_replica:
      return "the fleet's database has no replica; see the log";
    case Trouble::full:
      return "the disk of the fleet's database is full";
    case Trouble::unreachable:
    case Trouble::not_writable:
      return "the fleet's database cannot be reached; see the log";
    default:
      return "the fleet's database refuses this relay; see the log";
  }
}

DatabaseError read_error(std::string_view text, std::string_view sqlstate) {
  DatabaseError error;
  error.sqlstate = sqlstate;
  for (const char c : text) {
    const bool blank = c == '\n' || c == '\t' || c == '\r' || c == ' ';
    if (!blank)
      error.message += c;
    else if (!error.message.empty() && error.message.back() != ' ')
      error.message += ' ';
  }
  while (error.message.ends_with(' ')) error.message.pop_back();
  for (const auto& [begin, trouble] : known_states) {
    if (sqlstate.empty() || !sqlstate.starts_with(begin)) continue;
    error.trouble = trouble;
    return error;
  }
  if (!sqlstate.empty()) return error;
  error.trouble = Trouble::unreachable;
  for (const auto& [part, trouble] : known_texts) {
    if (error.message.find(part) == std::string::npos) continue;
    error.trouble = trouble;
    break;
  }
  return error;
}

}  // namespace verbatim::database
