// An error of the fleet's database, as a value. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace verbatim::database {

/// Kinds of errors, by the advice that an operator needs.
enum class Trouble {
  unreachable,   ///< no connection, or it was lost
  not_writable,  ///< no member of the cluster can be written
  refused,       ///< wrong user, password, database, certificate or rights
  full,          ///< its disk is full
  newer_schema,  ///< written by a later version of this program
  foreign,       ///< its tables are not this program's
  fenced,        ///< another relay has taken this one's place
  no_replica,    ///< a commit would not wait for a replica
  conflict,      ///< two transactions met: try again at once
  other,
};
const char* to_string(Trouble trouble);
/// Advice for an operator; empty if there is none beyond the message.
const char* advice_for(Trouble trouble);
/// The reason for people without credentials: it names no host and no user.
std::string public_reason(Trouble trouble);

struct DatabaseError {
  Trouble trouble = Trouble::other;
  std::string sqlstate;  ///< five characters; empty: the database did not answer
  std::string message;   ///< one line
};

template <class T = void>
using DatabaseResult = tl::expected<T, DatabaseError>;

inline tl::unexpected<DatabaseError> database_error(Trouble trouble, std::string message) {
  return tl::unexpected(DatabaseError{trouble, {}, std::move(message)});
}

/// Makes one line of the client library's text, and derives the kind of trouble from it.
DatabaseError read_error(std::string_view text, std::string_view sqlstate);

}  // namespace verbatim::database
