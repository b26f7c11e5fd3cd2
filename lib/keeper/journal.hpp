// The journal as a file: `journal` in the keeper's state directory.
//
// Records are written with plain write(): what is written survives the death of every process; the death of the
// machine is covered by the session. Space is taken ahead, so that a full disk is met before an attempt is started
// and not when its end has to be recorded.
#pragma once

#include <string>
#include <vector>

#include "hakuriver/result.hpp"
#include "keeper/descriptor.hpp"
#include "keeper/journal_content.hpp"

namespace hakuriver::keeper {

class Journal {
 public:
  // What opening found: the content, in a session of this boot, and what an operator should read about it.
  struct Opened;

  // Reads or makes the journal in `directory` (a descriptor that outlives the journal). A torn end is cut off; a
  // damaged file is renamed to `journal.damaged-N`, and what it says before the damage goes on in a new journal with a
  // new id. `boot_id` as in Session.
  static Result<Opened> open(int directory, const std::string& boot_id);

  // Appended with the append_ functions of journal_content.hpp; on disk after flush().
  std::string& pending() { return pending_; }

  // Takes space for `bytes` beyond what is pending. io, with errno in last_errno(), where there is none.
  Status reserve(std::size_t bytes);

  // Writes what is pending. On failure it stays pending.
  Status flush();

  // Forgets what is pending, also where a failed flush wrote a part of it.
  void drop_pending();

  // Replaces the whole journal by one that says `content` and has space for `ahead` bytes more; nothing may be
  // pending. On failure the old one stays.
  Status rewrite(const JournalContent& content, std::size_t ahead);

  std::size_t size() const { return end_; }
  int last_errno() const { return errno_; }

 private:
  explicit Journal(int directory) : directory_(directory) {}
  Error fail(int error);
  Status write_all(int file, std::string_view bytes, std::size_t offset);

  int directory_;
  Descriptor file_;
  std::size_t end_ = 0;        // of the last record
  std::size_t allocated_ = 0;  // of the file
  std::string pending_;
  int errno_ = 0;
};

struct Journal::Opened {
  Journal journal;
  JournalContent content;
  std::vector<std::string> notes;
};

// 32 random hex digits.
std::string make_journal_id();

// The boot id of this machine without dashes; empty where /proc does not tell.
std::string read_boot_id();

}  // namespace hakuriver::keeper
