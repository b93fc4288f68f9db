#include "storage/search/tokenizer.hpp"

#include <sqlite3.h>

#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "storage/search/folding.hpp"
#include "storage/store/error.hpp"

namespace verbatim::search {

namespace {

constexpr const char* own_name = "verbatim";

/// unicode61, which finds the words.
struct Inner {
  fts5_tokenizer methods{};
  Fts5Tokenizer* tokenizer = nullptr;

  Inner() = default;
  ~Inner() {
    if (tokenizer != nullptr) methods.xDelete(tokenizer);
  }
  Inner(const Inner&) = delete;
  Inner& operator=(const Inner&) = delete;
};

/// A function that takes words, as FTS5 gives it.
struct Taker {
  void* context;
  int (*take)(void*, int, const char*, int, int, int);
};

int create(void* connections_api, const char** arguments, int count, Fts5Tokenizer** made) {
  auto* const api = static_cast<fts5_api*>(connections_api);
  std::unique_ptr<Inner> inner(new (std::nothrow) Inner);
  if (!inner) return SQLITE_NOMEM;
  void* data = nullptr;
  int result = api->xFindTokenizer(api, "unicode61", &data, &inner->methods);
  if (result == SQLITE_OK)
    result = inner->methods.xCreate(data, arguments, count, &inner->tokenizer);
  if (result != SQLITE_OK) {
    inner->tokenizer = nullptr;
    return result;
  }
  *made = reinterpret_cast<Fts5Tokenizer*>(inner.release());
  return SQLITE_OK;
}

void remove(Fts5Tokenizer* tokenizer) { delete reinterpret_cast<Inner*>(tokenizer); }

/// `begin`, `end`: of the word in the text.
int take_folded(void* taker, int flags, const char* bytes, int size, int begin, int end) {
  const auto& to = *static_cast<const Taker*>(taker);
  try {
    const std::string word = folded({bytes, static_cast<std::size_t>(size)});
    if (word.empty()) return SQLITE_OK;
    return to.take(to.context, flags, word.data(), static_cast<int>(word.size()), begin, end);
  } catch (const std::bad_alloc&) {
    return SQLITE_NOMEM;
  }
}

int tokenize(Fts5Tokenizer* tokenizer, void* context, int flags, const char* text, int size,
             int (*take)(void*, int, const char*, int, int, int)) {
  const auto& inner = *reinterpret_cast<const Inner*>(tokenizer);
  Taker taker{context, take};
  return inner.methods.xTokenize(inner.tokenizer, &taker, flags, text, size, take_folded);
}

/// As SQLite's documentation of FTS5 says, section 7.
fts5_api* api_of(sqlite3* connection) {
  fts5_api* api = nullptr;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(connection, "SELECT fts5(?1)", -1, &statement, nullptr) == SQLITE_OK) {
    sqlite3_bind_pointer(statement, 1, static_cast<void*>(&api), "fts5_api_ptr", nullptr);
    sqlite3_step(statement);
  }
  sqlite3_finalize(statement);
  return api;
}

}  // namespace

void add_tokenizer(sqlite3* connection) {
  fts5_api* const api = api_of(connection);
  fts5_tokenizer methods{create, remove, tokenize};
  if (api == nullptr || api->xCreateTokenizer(api, own_name, api, &methods, nullptr) != SQLITE_OK)
    throw store::StorageError(store::Failure::other,
                              "this SQLite lacks FTS5, which the search of words needs");
}

}  // namespace verbatim::search
