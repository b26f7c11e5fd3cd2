// A keeper that starts nothing: every attempt starts and ends with 0 at once. For benchmarks of everything around it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hakuriver/keeper.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/time.hpp"
#include "service/wake_descriptor.hpp"

namespace hakuriver::service {

// Its journal is in memory: it lasts as long as it does.
class NullKeeper final : public KeeperPort {
 public:
  // `journal_id` and `boot_id`: 32 hex digits each.
  static Result<std::unique_ptr<NullKeeper>> open(Session session, std::function<UtcTime()> utc_now);

  Result<KeeperListing> take_over(const std::string& cluster_id, Epoch epoch) override;
  Status start(const StartRequest& request) override;
  Status signal(AttemptKey key, TaskSignal signal, std::chrono::milliseconds grace) override;
  Status confirm(std::uint64_t record) override;
  int descriptor() const override { return untold_event_.get(); }
  void dispatch(const KeeperEvents& events) override;

 private:
  NullKeeper(WakeDescriptor event, Session session, std::function<UtcTime()> utc_now);

  const WakeDescriptor untold_event_;
  const std::function<UtcTime()> utc_now_;
  KeeperListing known_;                          // without its attempts
  std::map<AttemptKey, std::uint64_t> records_;  // of those not confirmed
  std::map<std::uint64_t, KeptAttempt> ended_;   // by record, not confirmed
  std::uint64_t last_record_ = 0;
  std::vector<std::uint64_t> untold_;
};

}  // namespace hakuriver::service
