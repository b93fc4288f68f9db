// The call of the API that gives a captured stream: the raw events of an attempt, as they were
// recorded.
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/router.hpp"
#include "server/net/body_source.hpp"

namespace verbatim::server {

namespace {

/// Up to the end that the file has when it gets there: what is captured meanwhile comes with it.
class CapturedStream final : public BodySource {
 public:
  CapturedStream(Capture& capture, std::filesystem::path file, Clock::duration patience,
                 const Executor& executor)
      : capture_(capture), file_(std::move(file)), patience_(patience), executor_(executor) {}

  Awaitable<std::string> next() override {
    if (abandoned_) co_return std::string();
    const auto start = [this](auto done) {
      capture_.read(file_, at_, BodySource::piece_bytes, done);
    };
    std::string piece = co_await from_callback<std::string>(executor_, start);
    at_ += piece.size();
    co_return piece;
  }
  Clock::duration patience() const override { return patience_; }
  void abandon(bool) override { abandoned_ = true; }

 private:
  Capture& capture_;
  std::filesystem::path file_;
  Clock::duration patience_;
  Executor executor_;
  std::uint64_t at_ = 0;
  bool abandoned_ = false;
};

}  // namespace

Awaitable<HttpResponse> Api::show_captured(Context& context) {
  const auto asked = read_attempt(context.request);
  if (!asked) co_return std::move(asked).error();
  using Found = std::optional<storage::SessionSummary>;
  const auto read = [id = context.id](storage::TranscriptStore& store) {
    return store.session(id);
  };
  auto found = co_await read_merged<Found>(context, read, "GET .../captured");
  if (const auto* error = std::get_if<1>(&found)) co_return storage_problem(*error);
  const Found& session = std::get<0>(found);
  if (!session) co_return not_found();
  const int attempt =
      (*asked).value_or(session->attempts.empty() ? 1 : session->attempts.back().number);
  const auto file = parts_.capture ? parts_.capture->file_of(context.id, attempt) : std::nullopt;
  if (!file) {
    co_return problem(404, "not captured",
                      "No events were captured of attempt " + std::to_string(attempt) +
                          " of this session: capture.dir was not set, or the capture was erased.");
  }
  HttpResponse response;
  response.content_type = "application/x-ndjson";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.source = std::make_shared<CapturedStream>(
      *parts_.capture, *file, parts_.settings.server.request_timeout, context.worker.executor());
  co_return response;
}

}  // namespace verbatim::server
