#include "storage/search/searcher.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/ascii.hpp"
#include "storage/rows/session_list.hpp"
#include "storage/search/search_file.hpp"
#include "storage/search/words.hpp"
#include "storage/store/session_cursor.hpp"

namespace verbatim::search {

namespace {

/// Above it the hits of a search are not counted to the end.
constexpr std::size_t counted_max = 10'000;
/// Rows of the index that are read at once.
constexpr std::size_t rows_at_once = 512;
/// Words of a snippet, at most.
constexpr int snippet_words = 24;
constexpr char match_begin = '\x02';
constexpr char match_end = '\x03';

struct Direction {
  bool descending = true;
  bool before(std::int64_t a, std::int64_t b) const { return descending ? a > b : a < b; }
  const char* order() const { return descending ? " DESC" : ""; }
  const char* beyond() const { return descending ? " < " : " > "; }
};

/// Row ids of the sessions whose id or user begins with the question, in order.
class ByName {
 public:
  ByName(sqlite::Database& database, const std::string& question, Direction direction,
         std::int64_t from)
      : first_(question),
        last_(after_prefix(question)),
        query_(database.query(sql_for(direction))) {
    query_.bind(first_, last_, from);
    pop();
  }
  std::optional<std::int64_t> head() const { return head_; }
  void pop() { head_ = query_.step() ? std::optional(query_.integer(0)) : std::nullopt; }

 private:
  static std::string sql_for(Direction direction) {
    return std::string(
               "SELECT id FROM session WHERE ((public_id >= ?1 AND public_id < ?2) "
               "OR (user >= ?1 AND user < ?2)) AND id") +
           direction.beyond() + "?3 ORDER BY id" + direction.order();
  }

  const std::string first_;
  const std::string last_;
  sqlite::Query query_;
  std::optional<std::int64_t> head_;
};

/// Row ids of the sessions that have a turn with all words, in order.
class ByWords {
 public:
  /// `index`: null: there is none.
  ByWords(sqlite::Database* index, std::string expression, Direction direction, std::int64_t from)
      : index_(index), expression_(std::move(expression)), direction_(direction) {
    if (!index_ || expression_.empty()) return;
    const bool whole = from < 0 || from == INT64_MAX;
    sqlite::Query rows = index_->query("SELECT number FROM shard ORDER BY number");
    while (rows.step()) {
      const std::int64_t shard = rows.integer(0);
      if (whole || !direction_.before(shard, shard_of(from))) shards_.push_back(shard);
    }
    from_ = from;
    if (direction_.descending) std::reverse(shards_.begin(), shards_.end());
    fill();
  }
  std::optional<std::int64_t> head() const {
    return at_ < found_.size() ? std::optional(found_[at_]) : std::nullopt;
  }
  void pop() {
    if (++at_ == found_.size()) fill();
  }

 private:
  /// Reads on until there is a session or nothing more.
  void fill() {
    found_.clear();
    at_ = 0;
    while (found_.empty() && shard_ < shards_.size()) {
      const std::size_t rows = read_some(table_of(shards_[shard_]));
      if (rows < rows_at_once) ++shard_;
    }
  }

  std::size_t read_some(const std::string& table) {
    sqlite::Query rows =
        index_->query("SELECT rowid FROM " + table + " WHERE " + table + " MATCH ? AND rowid" +
                      direction_.beyond() + "? ORDER BY rowid" + direction_.order() + " LIMIT ?");
    rows.bind(expression_, row_bound(), rows_at_once);
    std::size_t count = 0;
    while (rows.step()) {
      ++count;
      const std::int64_t session = session_of_row(rows.integer(0));
      if (found_.empty() || found_.back() != session) found_.push_back(session);
    }
    if (!found_.empty()) from_ = found_.back();
    return count;
  }

  /// The rows of `from_` itself have been seen.
  std::int64_t row_bound() const {
    if (direction_.descending)
      return from_ >= session_of_row(INT64_MAX) ? INT64_MAX : first_row_of(from_);
    return from_ < 0 ? -1 : first_row_of(from_ + 1) - 1;
  }

  sqlite::Database* index_;
  const std::string expression_;
  const Direction direction_;
  std::vector<std::int64_t> shards_;
  std::size_t shard_ = 0;  ///< in shards_
  std::vector<std::int64_t> found_;
  std::size_t at_ = 0;  ///< in found_
  std::int64_t from_ = 0;
};

/// Both streams as one.
class Candidates {
 public:
  Candidates(sqlite::Database& database, sqlite::Database* index, const std::string& question,
             const std::string& expression, Direction direction, std::int64_t from)
      : direction_(direction),
        by_name_(database, question, direction, from),
        by_words_(index, expression, direction, from) {}

  struct Candidate {
    std::int64_t id = 0;
    bool by_words = false;
  };
  std::optional<Candidate> next() {
    const auto name = by_name_.head();
    const auto words = by_words_.head();
    if (!name && !words) return std::nullopt;
    Candidate candidate;
    candidate.by_words = words && (!name || !direction_.before(*name, *words));
    const bool named = name && (!words || !direction_.before(*words, *name));
    candidate.id = candidate.by_words ? *words : *name;
    if (candidate.by_words) by_words_.pop();
    if (named) by_name_.pop();
    return candidate;
  }

 private:
  const Direction direction_;
  ByName by_name_;
  ByWords by_words_;
};

/// Splits what FTS5's snippet() returns into the text and the matching words.
void read_snippet(std::string_view marked, store::SearchHit& hit) {
  std::size_t begun = std::string::npos;
  for (const char c : marked) {
    if (c == match_begin) {
      begun = hit.snippet.size();
    } else if (c == match_end && begun != std::string::npos) {
      std::string word = hit.snippet.substr(begun);
      if (std::find(hit.words.begin(), hit.words.end(), word) == hit.words.end())
        hit.words.push_back(std::move(word));
      begun = std::string::npos;
    } else if (c != boundary && c != match_end) {
      hit.snippet += c;
    }
  }
}

/// False: the index has another session's words under this row id, which was used again.
bool is_owner(sqlite::Database& index, const rows::FoundSession& session) {
  sqlite::Query owner = index.query("SELECT public_id FROM indexed WHERE session = ?");
  return owner.bind(session.id).step() && owner.text(0) == session.summary.id;
}

/// The first turn of the session with all words. nullopt: it has none.
std::optional<store::SearchHit> hit_in(sqlite::Database& index, const std::string& expression,
                                       const rows::FoundSession& session) {
  if (!is_owner(index, session)) return std::nullopt;
  const std::string table = table_of(shard_of(session.id));
  sqlite::Query row = index.query("SELECT attempt, ordinal, role, snippet(" + table +
                                  ", 0, char(2), char(3), '…', " + std::to_string(snippet_words) +
                                  ") FROM " + table + " WHERE " + table +
                                  " MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid LIMIT 1");
  row.bind(expression, first_row_of(session.id), first_row_of(session.id + 1));
  if (!row.step()) return std::nullopt;
  store::SearchHit hit;
  hit.attempt = static_cast<int>(row.integer(0));
  hit.ordinal = static_cast<int>(row.integer(1));
  hit.role = static_cast<transcript::Role>(row.integer(2));
  read_snippet(row.text(3), hit);
  return hit;
}

bool begins_with(const store::SessionSummary& session, const std::string& question) {
  return session.id.starts_with(question) || session.user.starts_with(question);
}

/// One search, in one snapshot.
struct Search {
  /// A session that meets all conditions, and where its words are.
  using Found = std::pair<rows::FoundSession, std::optional<store::SearchHit>>;

  sqlite::Database& database;
  sqlite::Database* index;  ///< null: there is none
  const store::SessionFilter& filter;
  const std::string& question;
  const std::string& expression;
  Direction direction;

  Candidates candidates(std::int64_t from) const {
    return {database, index, question, expression, direction, from};
  }
  std::optional<Found> examine(const Candidates::Candidate& one) const {
    auto session = rows::find_listed(database, filter, one.id);
    if (!session) return std::nullopt;
    std::optional<store::SearchHit> hit;
    if (one.by_words) hit = hit_in(*index, expression, *session);
    if (!hit && !begins_with(session->summary, question)) return std::nullopt;
    return Found{*std::move(session), std::move(hit)};
  }
  bool meets_all(const Candidates::Candidate& one) const {
    const auto session = rows::find_listed(database, filter, one.id);
    if (!session) return false;
    // The candidate has the words: there is no need to find them again.
    if (one.by_words && is_owner(*index, *session)) return true;
    return begins_with(session->summary, question);
  }
  /// All that meet the conditions, or one more than `counted_max`.
  std::size_t count(std::int64_t from) const {
    std::size_t found = 0;
    Candidates all = candidates(from);
    for (auto one = all.next(); one && found <= counted_max; one = all.next())
      if (meets_all(*one)) ++found;
    return found;
  }
};

/// Whether the index has every change of the database.
bool is_complete(sqlite::Database& database, sqlite::Database* index) {
  if (!index) return false;
  sqlite::Query now = database.query("SELECT store, last_change FROM meta");
  sqlite::Query then = index->query("SELECT store, up_to FROM meta");
  return now.step() && then.step() && now.text(0) == then.text(0) &&
         now.integer(1) == then.integer(1);
}

}  // namespace

Searcher::Searcher(const std::filesystem::path& database) : file_(index_file_of(database)) {}

void Searcher::open_if_needed() {
  try {
    if (index_ && index_->has_moved()) index_.reset();
    if (!index_) index_ = open_to_read(file_);
  } catch (const store::StorageError&) {
    index_.reset();  // it is being made, or made again
  }
}

store::SessionPage Searcher::search(rows::TranscriptStore& sessions,
                                    const store::SessionFilter& filter) {
  sqlite::Database& database = sessions.database();
  const Direction direction{filter.sort != store::SessionSort::created_first};
  const std::int64_t start = direction.descending ? INT64_MAX : -1;
  std::int64_t from = start;
  if (!filter.cursor.empty()) {
    const auto cursor = store::parse_session_cursor(filter.sort, filter.cursor);
    if (!cursor || cursor->made_at) throw store::unknown_cursor();
    from = cursor->id;
  }
  open_if_needed();
  const std::string question(trimmed(filter.question));
  const std::string expression = match_expression(question);
  sqlite::Savepoint snapshot(database);
  std::optional<sqlite::Savepoint> index_snapshot;
  if (index_) index_snapshot.emplace(*index_);

  const Search search{database, index_.get(), filter, question, expression, direction};
  store::SessionPage page;
  page.search_complete = is_complete(database, index_.get());
  if (filter.total) {
    const std::size_t count = search.count(start);
    page.total_is_exact = count <= counted_max;
    page.total = std::min(count, counted_max);
  }
  Candidates some = search.candidates(from);
  std::int64_t last = 0;
  for (auto one = some.next(); one; one = some.next()) {
    auto found = search.examine(*one);
    if (!found) continue;
    if (page.sessions.size() == filter.limit) {
      page.next_cursor = to_string(filter.sort, store::SessionCursor{last, {}, {}, {}});
      break;
    }
    last = found->first.id;
    found->first.summary.attempts = rows::read_attempts(database, last);
    page.sessions.push_back(std::move(found->first.summary));
    page.hits.push_back(std::move(found->second));
  }
  return page;
}

}  // namespace verbatim::search
