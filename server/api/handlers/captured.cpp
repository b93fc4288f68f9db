// The call of the API that gives a captured stream: the raw events of an attempt, as they were
// recorded.
#include "config/settings.hpp"
#include "server/api/handler.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/store_access.hpp"
#include "server/net/body_source.hpp"
#include "server/net/from_callback.hpp"
#include "server/relay/traffic_capture.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::api::handlers {

namespace {

/// Streams to the end of the file, with the events that are captured meanwhile.
class CapturedStream final : public net::BodySource {
 public:
  CapturedStream(relay::Capture& capture, std::filesystem::path file, net::Clock::duration patience,
                 const net::Executor& executor)
      : capture_(capture), file_(std::move(file)), patience_(patience), executor_(executor) {}

  net::Awaitable<std::string> next() override {
    if (abandoned_) co_return std::string();
    const auto start = [this](auto done) {
      capture_.read(file_, at_, net::BodySource::piece_bytes, done);
    };
    std::string piece = co_await net::from_callback<std::string>(executor_, start);
    at_ += piece.size();
    co_return piece;
  }
  net::Clock::duration patience() const override { return patience_; }
  void abandon(bool) override { abandoned_ = true; }

 private:
  relay::Capture& capture_;
  std::filesystem::path file_;
  net::Clock::duration patience_;
  net::Executor executor_;
  std::uint64_t at_ = 0;
  bool abandoned_ = false;
};

}  // namespace

net::Awaitable<net::HttpResponse> show_captured(const ApiServices& api, RequestContext& context) {
  auto asked = requests::read_attempt(context.request);
  if (!asked) co_return std::move(asked).error();
  const auto call = [&](auto done) {
    api.sessions.find_session(context.id, {"GET .../captured", context.share()}, done);
  };
  auto session = co_await find_in_store<store::SessionSummary>(api, context, call);
  if (!session) co_return std::move(session).error();
  const int latest = session->attempts.empty() ? 1 : session->attempts.back().number;
  const int attempt = asked->value_or(latest);
  const auto file = api.capture ? api.capture->file_of(context.id, attempt) : std::nullopt;
  if (!file) {
    co_return net::problem(
        404, "not captured",
        "No events were captured of attempt " + std::to_string(attempt) +
            " of this session: capture.dir was not set, no capture was requested, or the capture "
            "was erased.");
  }
  net::HttpResponse response;
  response.content_type = "application/x-ndjson";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.source = std::make_shared<CapturedStream>(
      *api.capture, *file, api.settings.get()->server.request_timeout, context.executor());
  co_return response;
}

net::Awaitable<net::HttpResponse> start_capture(const ApiServices& api, RequestContext& context) {
  if (api.capture == nullptr)
    co_return net::problem(409, "capture not possible", "Set capture.dir to capture raw events.");
  if (api.capture->start_capture(context.id)) {
    api.log.info("capture.started", {{"session", context.id}, {"by", context.principal.user}});
    co_return no_content();
  }
  co_return net::problem(409, "capture not possible",
                         "The session has no running conversation that could be captured.");
}

}  // namespace verbatim::api::handlers
