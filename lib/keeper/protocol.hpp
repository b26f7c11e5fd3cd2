// What agent and keeper say to each other over the Unix socket `keeper.sock`, version 3.
//
// A frame is its length in 32 bits (of what follows), its type in 8 bits, and a body; numbers are little-endian.
//   agent:  hello (first, once), then start, signal, confirm in any order
//   keeper: listing, listed for each attempt, listing_end; then started, changed, ended as it happens;
//           or refused, after which it closes
// A keeper answers a hello whose range of versions holds one it speaks, and its listing ends in the number of the
// version that it chose; none is 1. Agents speak every version since 1. Version 2 adds cgroups to start, version 3
// all that is_special() asks for. What a later version appends to an attempt, an agent of an earlier one does not read.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hakuriver/keeper.hpp"

namespace hakuriver::keeper {

inline constexpr std::uint32_t kProtocolVersion = 3;
inline constexpr std::uint32_t kFirstVersionWithCgroups = 2;
inline constexpr std::uint32_t kFirstVersionWithSpecials = 3;
inline constexpr std::size_t kMaxFrame = std::size_t{2} << 20;  // length of type and body
inline constexpr std::size_t kMaxMessage = kMaxRefusal;         // of an attempt's message, in bytes
inline constexpr std::size_t kMaxClusterId = 256;
inline constexpr std::size_t kMaxPath = 4095;
inline constexpr std::size_t kMaxControl = 4096;     // of a launcher's program and its words together
inline constexpr std::size_t kMaxCgroupPath = 1024;  // so that all of them fit into one record of the journal

// A number never changes its meaning.
enum class FrameType : std::uint8_t {
  hello = 1,
  start = 2,
  signal = 3,
  confirm = 4,
  refused = 16,
  listing = 17,
  listed = 18,
  listing_end = 19,
  started = 20,
  changed = 21,
  ended = 22,
};

struct Hello {
  std::uint32_t lowest_version = 1;
  std::uint32_t highest_version = kProtocolVersion;
  std::string cluster_id;
  Epoch epoch;
};

struct SignalOrder {
  AttemptKey key;
  TaskSignal signal = TaskSignal::terminate;
  std::chrono::milliseconds grace{0};
};

struct Frame {
  FrameType type;
  std::string_view body;  // belongs to the buffer it was taken from
};

// Appends one whole frame.
void append_frame(std::string& out, FrameType type, std::string_view body);

// Takes one whole frame off the front of `bytes`: nothing while it is incomplete, `parse` for a length that no frame
// can have.
Result<std::optional<Frame>> take_frame(std::string_view& bytes);

// Bodies. `decode_` is empty where the bytes are not what `encode_` writes or hold what cannot be.
std::string encode_hello(const Hello& hello);
std::optional<Hello> decode_hello(std::string_view body);

// Whether a request asks for anything that most do not: a user, limits of time, a launcher.
bool is_special(const StartRequest& request);

std::string encode_start(const StartRequest& request);
std::optional<StartRequest> decode_start(std::string_view body);

std::string encode_signal(const SignalOrder& order);
std::optional<SignalOrder> decode_signal(std::string_view body);

std::string encode_confirm(std::uint64_t record);
std::optional<std::uint64_t> decode_confirm(std::string_view body);

std::string encode_refused(const Error& error);
std::optional<Error> decode_refused(std::string_view body);

// A listing without its attempts, and the version of what follows.
std::string encode_listing(const KeeperListing& listing, std::uint32_t version);
std::optional<KeeperListing> decode_listing(std::string_view body, std::uint32_t& version);

std::string encode_attempt(const KeptAttempt& attempt);
std::optional<KeptAttempt> decode_attempt(std::string_view body);

// What a start request must hold before anything is done with it: words, absolute paths, no NUL in any text.
Status check_start(const StartRequest& request);

}  // namespace hakuriver::keeper
