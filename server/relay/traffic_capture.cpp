#include "server/relay/traffic_capture.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "base/ids.hpp"

namespace verbatim::relay {

namespace {

constexpr std::size_t waiting_bytes_max = 32 * 1024 * 1024;

std::string name_of(const std::string& session_id, int attempt) {
  return session_id + "." + std::to_string(attempt) + ".jsonl";
}

}  // namespace

Capture::Capture(std::filesystem::path directory, config::CaptureStart start)
    : directory_(std::move(directory)), on_request_(start == config::CaptureStart::on_request) {
  std::error_code ec;
  std::filesystem::create_directories(directory_, ec);
  if (ec) {
    throw std::runtime_error("cannot make capture.dir " + directory_.string() + ": " +
                             ec.message());
  }
}

Capture::~Capture() { writer_.join(); }

/// The file of one attempt.
class Capture::Stream final : public Tap {
 public:
  Stream(Capture& owner, std::filesystem::path file, const TappedConversation& conversation,
         Switch on)
      : owner_(owner),
        file_(std::move(file)),
        on_(std::move(on)),
        started_ms_(conversation.started_at),
        secrets_(conversation.secrets) {}

  void on_message(protocol::Direction direction, const protocol::Message& message,
                  net::FrameType frame, Moment now) override {
    if (frame == net::FrameType::binary || !on_->load(std::memory_order_relaxed)) return;
    const auto clean = secrets_ ? secrets_->cut_frame(message.bytes) : std::nullopt;
    const std::string_view event = clean ? *clean : message.bytes;
    // One event is one line: an event with a line break cannot be replayed.
    if (event.find('\n') != std::string_view::npos) return;
    owner_.append(file_, protocol::write_recorded_event(now.wall - started_ms_, direction, event));
  }

 private:
  Capture& owner_;
  std::filesystem::path file_;
  Switch on_;
  std::int64_t started_ms_;
  std::shared_ptr<const protocol::SecretFilter> secrets_;
};

std::unique_ptr<Tap> Capture::tap(const TappedConversation& conversation) {
  auto on = std::make_shared<std::atomic<bool>>(!on_request_);
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(running_, [](const auto& one) { return one.second.expired(); });
    running_[conversation.session_id] = on;
  }
  return std::make_unique<Stream>(
      *this, directory_ / name_of(conversation.session_id, conversation.attempt_number),
      conversation, std::move(on));
}

bool Capture::start_capture(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(session_id);
  const Switch on = found == running_.end() ? nullptr : found->second.lock();
  if (on) *on = true;
  return on != nullptr;
}

std::optional<std::filesystem::path> Capture::file_of(const std::string& session_id,
                                                      int attempt) const {
  if (!is_valid_session_id(session_id)) return std::nullopt;  // a name, never a path
  std::filesystem::path file = directory_ / name_of(session_id, attempt);
  std::error_code ec;
  if (!std::filesystem::is_regular_file(file, ec)) return std::nullopt;
  return file;
}

void Capture::read(const std::filesystem::path& file, std::uint64_t at, std::size_t bytes,
                   std::function<void(std::string)> done) {
  boost::asio::post(writer_, [file, at, bytes, done = std::move(done)] {
    std::ifstream in(file, std::ios::binary);
    in.seekg(static_cast<std::streamoff>(at));
    std::string lines;
    std::string line;
    while (in && lines.size() < bytes && std::getline(in, line) && !in.eof()) lines += line + '\n';
    done(std::move(lines));
  });
}

void Capture::append(const std::filesystem::path& file, std::string line) {
  if (waiting_bytes_ > waiting_bytes_max) {
    ++left_out_;
    return;
  }
  waiting_bytes_ += line.size();
  boost::asio::post(writer_, [this, file, line = std::move(line)] {
    const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const bool written = descriptor >= 0 && ::write(descriptor, line.data(), line.size()) ==
                                                static_cast<ssize_t>(line.size());
    if (descriptor >= 0) ::close(descriptor);
    if (!written) ++left_out_;
    waiting_bytes_ -= line.size();
  });
}

void Capture::erase(const std::string& session_id, std::function<void(bool)> done) {
  boost::asio::post(writer_, [this, session_id, done = std::move(done)] {
    done(erase_captured(directory_, session_id));
  });
}

bool erase_captured(const std::filesystem::path& directory, const std::string& session_id) {
  std::error_code ec;
  if (directory.empty() || !std::filesystem::exists(directory, ec)) return !ec;
  bool all = true;
  for (std::filesystem::directory_iterator entry(directory, ec), end; !ec && entry != end;
       entry.increment(ec)) {
    const std::string name = entry->path().filename().string();
    // Session ids may contain dots, attempts are digits: match SESSION.DIGITS.jsonl exactly.
    if (name.rfind(session_id + ".", 0) != 0 || !name.ends_with(".jsonl")) continue;
    if (name.size() <= session_id.size() + 1 + 6) continue;
    const std::string attempt =
        name.substr(session_id.size() + 1, name.size() - session_id.size() - 1 - 6);
    if (attempt.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code not_removed;
    std::filesystem::remove(entry->path(), not_removed);
    if (not_removed) all = false;
  }
  return all && !ec;
}

}  // namespace verbatim::relay
