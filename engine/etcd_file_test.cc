// Files written by a real etcd are read here, and files written here are read
// and written on by a real etcd. Needs Debian's etcd-server and etcd-client.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/env.h"
#include "base/random.h"
#include "base/wire.h"
#include "engine/btree/file_testing.h"
#include "engine/btree/sum.h"
#include "engine/btree_backend.h"

namespace strata {
namespace {

constexpr char kEtcd[] = "/usr/bin/etcd";
constexpr char kEtcdctl[] = "/usr/bin/etcdctl";

// A port nobody listens on now.
int FreePort() {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(fd);
  return ntohs(address.sin_port);
}

std::string Output(const std::string& command, int* exit_code = nullptr) {
  std::string output;
  FILE* pipe = popen(("ETCDCTL_API=3 " + command + " 2>&1").c_str(), "r");
  CHECK(pipe != nullptr);
  std::array<char, 4096> buffer;
  while (size_t n = fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), n);
  }
  int code = pclose(pipe);
  if (exit_code != nullptr) {
    *exit_code = code;
  } else {
    EXPECT_EQ(code, 0) << command << ": " << output;
  }
  return output;
}

// A running etcd on a data directory; stopped by SIGTERM at the end.
class Etcd {
 public:
  explicit Etcd(const std::string& directory) {
    const std::string client = Url();
    const std::string peer = Url();
    endpoint_ = client.substr(client.find("127"));
    std::vector<std::string> words = {kEtcd,
                                      "--data-dir",
                                      directory,
                                      "--listen-client-urls",
                                      client,
                                      "--advertise-client-urls",
                                      client,
                                      "--listen-peer-urls",
                                      peer,
                                      "--initial-advertise-peer-urls",
                                      peer,
                                      "--initial-cluster",
                                      "default=" + peer,
                                      "--backend-batch-limit",
                                      "20"};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const std::string log = directory + ".log";
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (freopen(log.c_str(), "a", stderr) == nullptr) _exit(126);
      execv(kEtcd, arguments.data());
      _exit(127);
    }
    for (int i = 0; i < 200; ++i) {
      int code = 0;
      Output(Ctl("get --limit 1 x"), &code);
      if (code == 0) return;
      usleep(50000);
    }
    ADD_FAILURE() << "etcd did not start; " << directory << ".log";
  }

  ~Etcd() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }

  std::string Ctl(const std::string& arguments) const {
    return std::string(kEtcdctl) + " --endpoints " + endpoint_ + " " +
           arguments;
  }

 private:
  static std::string Url() {
    return "http://127.0.0.1:" + std::to_string(FreePort());
  }

  std::string endpoint_;
  pid_t pid_ = 0;
};

class EtcdFileTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "/etcd_file_" +
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    db_ = directory_ + "/member/snap/db";
    ASSERT_TRUE(Env::Posix()->RemoveAll(directory_).ok());
    ASSERT_TRUE(Env::Posix()->MakeDirs(directory_).ok());
  }

  std::unique_ptr<Backend> Open(const std::string& path,
                                const BtreeOptions& options = {}) {
    auto opened = OpenBtreeBackend(Env::Posix(), path, options, Logger::Null());
    CHECK_OK(opened);
    EXPECT_TRUE(
        (*opened)
            ->Check([](const std::string& fault) { ADD_FAILURE() << fault; })
            .ok());
    return std::move(opened).value();
  }

  std::string directory_;
  std::string db_;
};

constexpr std::array<Table, kTableCount> kTables = {
    Table::kKey,       Table::kMeta,     Table::kLease,          Table::kAlarm,
    Table::kCluster,   Table::kMembers,  Table::kMembersRemoved, Table::kAuth,
    Table::kAuthUsers, Table::kAuthRoles};

using Rows = std::vector<std::pair<std::string, std::string>>;

Rows Scan(Backend* backend, Table table) {
  Rows rows;
  auto view = backend->NewView();
  CHECK_OK(view);
  auto it = (*view)->NewIterator(table);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    rows.emplace_back(it->key(), it->value());
  }
  CHECK_OK(it->status());
  return rows;
}

// A field of a KeyValue.
std::string FieldOf(std::string_view message, uint32_t number) {
  wire::Reader reader(message);
  wire::Field field;
  while (reader.Next(&field)) {
    if (field.number == number) return std::string(field.bytes);
  }
  return "";
}

// What `etcdctl snapshot status` computes: the sum over all buckets in order.
std::string StatusLine(Backend* backend) {
  uint32_t sum = 0;
  int keys = 0;
  uint64_t revision = 0;
  std::vector<Table> tables(kTables.begin(), kTables.end());
  std::sort(tables.begin(), tables.end(),
            [](Table a, Table b) { return TableName(a) < TableName(b); });
  for (Table table : tables) {
    sum = crc32c::Extend(sum, TableName(table));
    for (auto& [key, value] : Scan(backend, table)) {
      sum = crc32c::Extend(crc32c::Extend(sum, key), value);
      ++keys;
      if (table == Table::kKey) revision = LoadBig64(key.data());
    }
  }
  return "\"hash\":" + std::to_string(sum) +
         ",\"revision\":" + std::to_string(revision) +
         ",\"totalKey\":" + std::to_string(keys) +
         ",\"totalSize\":" + std::to_string(backend->Sizes().file_bytes);
}

std::string EtcdctlStatus(const std::string& path) {
  return Output(std::string(kEtcdctl) + " snapshot status -w json " + path);
}

TEST_F(EtcdFileTest, ReadsWhatEtcdWrote) {
  constexpr int kKeys = 120;
  {
    Etcd etcd(directory_);
    std::string script;
    for (int i = 0; i < kKeys; ++i) {
      script += etcd.Ctl("put key" + std::to_string(i) + " " +
                         std::string(i * 17 + 1, 'v') + "\n");
    }
    script += etcd.Ctl("del key7\n") + etcd.Ctl("lease grant 1000\n") +
              etcd.Ctl("compaction 122\n");
    CHECK_OK(WriteFileAtomically(Env::Posix(), directory_ + ".sh",
                                 "export ETCDCTL_API=3\n" + script));
    Output("sh -e " + directory_ + ".sh");
    usleep(300000);  // the compaction goes on behind the reply
  }
  auto backend = Open(db_);
  int live = 0;
  for (auto& [key, value] : Scan(backend.get(), Table::kKey)) {
    if (key.size() == 18) {
      EXPECT_EQ(FieldOf(value, 1), "key7");
      continue;
    }
    std::string name = FieldOf(value, 1);
    ASSERT_EQ(name.substr(0, 3), "key");
    EXPECT_EQ(FieldOf(value, 5),
              std::string(std::stoi(name.substr(3)) * 17 + 1, 'v'));
    ++live;
  }
  EXPECT_EQ(live, kKeys - 1);
  EXPECT_EQ(Scan(backend.get(), Table::kLease).size(), 1u);
  EXPECT_EQ(Scan(backend.get(), Table::kMembers).size(), 1u);
  std::string expected = StatusLine(backend.get());
  backend.reset();
  EXPECT_NE(EtcdctlStatus(db_).find(expected), std::string::npos)
      << EtcdctlStatus(db_) << " instead of " << expected;
}

// Every freelist form and page size that bbolt can meet.
TEST_F(EtcdFileTest, EtcdctlReadsWhatWeWrote) {
  int files = 0;
  for (uint32_t page_size : {4096, 1024, 16384}) {
    for (bool synced : {false, true}) {
      const std::string path = directory_ + "/db" + std::to_string(++files);
      auto backend =
          Open(path, {.page_size = page_size, .freelist_sync = synced});
      Random random(files);
      for (int commit = 0; commit < 40; ++commit) {
        Batch batch;
        for (int i = 0; i < 60; ++i) {
          std::string key;
          AppendBig64(&key, commit * 100 + i);
          key += '_';
          AppendBig64(&key, 0);
          batch.Put(Table::kKey, key,
                    std::string(random.Below(i == 0 ? 30000 : 300), 'v'));
        }
        for (auto& [key, value] : Scan(backend.get(), Table::kKey)) {
          if (random.OneIn(3)) batch.Erase(Table::kKey, key);
        }
        for (Table table : kTables) {
          if (table == Table::kKey) continue;
          batch.Put(table, "k" + std::to_string(random.Below(50)),
                    std::string(random.Below(100), 'x'));
        }
        ASSERT_TRUE(backend->Write(batch).ok());
      }
      std::string expected = StatusLine(backend.get());
      const std::string copy = path + ".copy";
      std::string bytes;
      auto view = backend->NewView();
      ASSERT_TRUE(backend
                      ->WriteSnapshot(**view,
                                      [&](std::string_view piece) {
                                        bytes += piece;
                                        return Status::Ok();
                                      })
                      .ok());
      view = Status(Code::kUnknown, "");
      ASSERT_TRUE(WriteFileAtomically(Env::Posix(), copy, bytes).ok());
      backend.reset();
      EXPECT_NE(EtcdctlStatus(path).find(expected), std::string::npos)
          << EtcdctlStatus(path) << " instead of " << expected;
      EXPECT_NE(EtcdctlStatus(copy).find(expected), std::string::npos)
          << EtcdctlStatus(copy) << " instead of " << expected;
    }
  }
}

// etcd's file, rewritten here many times over, then written on by etcd.
TEST_F(EtcdFileTest, EtcdGoesOnWhereWeStopped) {
  constexpr int kKeys = 60;
  std::string before;
  {
    Etcd etcd(directory_);
    for (int i = 0; i < kKeys; ++i) {
      Output(etcd.Ctl("put key" + std::to_string(i) + " " +
                      std::string(i * 60 + 1, 'v')));
    }
    before = Output(etcd.Ctl("get --prefix key -w json"));
  }
  for (bool synced : {true, false}) {
    auto backend = Open(db_, {.freelist_sync = synced});
    Random random(1);
    const Rows rows = Scan(backend.get(), Table::kKey);
    for (int round = 0; round < 20; ++round) {
      Batch out;
      Batch in;
      for (auto& [key, value] : rows) {
        if (random.OneIn(2)) continue;
        out.Erase(Table::kKey, key);
        in.Put(Table::kKey, key, value);
      }
      ASSERT_TRUE(backend->Write(out).ok());
      ASSERT_TRUE(backend->Write(in).ok());
    }
    EXPECT_EQ(Scan(backend.get(), Table::kKey), rows);
  }
  auto kvs = [](const std::string& json) {
    return json.substr(json.find("\"kvs\""));
  };
  {
    Etcd etcd(directory_);
    EXPECT_EQ(kvs(Output(etcd.Ctl("get --prefix key -w json"))), kvs(before));
    for (int i = 0; i < 80; ++i) {
      Output(etcd.Ctl("put more" + std::to_string(i) + " " +
                      std::string(500, 'm')));
    }
    Output(etcd.Ctl("del --prefix key"));
  }
  auto backend = Open(db_);
  EXPECT_EQ(Scan(backend.get(), Table::kKey).size(), kKeys + 80u + kKeys);
}

// --- Checksums in a file that etcd writes too. ---

std::string FileAt(const std::string& path) {
  auto bytes = ReadFile(Env::Posix(), path, 64 << 20);
  CHECK_OK(bytes);
  return *bytes;
}

// Whether the newest meta says that every page has a sum.
bool Marked(const std::string& path) {
  const std::string file = FileAt(path);
  const btree::Layout layout = btree::LayoutOf(file);
  return btree::HasMark(file, layout, layout.slot);
}

// The pages in use that have a sum, and how many have none.
std::vector<uint64_t> Summed(const std::string& file, uint64_t* bare) {
  const btree::Layout layout = btree::LayoutOf(file);
  std::vector<uint64_t> summed;
  for (uint64_t first : btree::FirstPages(layout)) {
    uint64_t end = first;
    while (layout.first_of[end] == first) ++end;
    const uint64_t page = layout.meta.page_size;
    const btree::SumState sum = btree::CheckSum(
        std::string_view(file).substr(first * page, (end - first) * page));
    EXPECT_NE(sum, btree::SumState::kWrong);
    if (sum == btree::SumState::kRight) summed.push_back(first);
  }
  *bare = btree::FirstPages(layout).size() - summed.size();
  return summed;
}

void PutEverythingAgain(Backend* backend) {
  Batch batch;
  for (Table table : kTables) {
    for (auto& [key, value] : Scan(backend, table)) {
      batch.Put(table, key, value);
    }
  }
  ASSERT_TRUE(backend->Write(batch).ok());
}

void ExpectSound(Backend* backend) {
  const auto fail = [](const std::string& fault) { ADD_FAILURE() << fault; };
  EXPECT_TRUE(backend->Check(fail).ok());
}

TEST_F(EtcdFileTest, SumsComeAndGo) {
  auto put = [](const Etcd& etcd, const std::string& name, int keys, int size) {
    for (int i = 0; i < keys; ++i) {
      Output(etcd.Ctl("put " + name + std::to_string(i) + " " +
                      std::string(i * size + 1, 'v')));
    }
  };
  { put(Etcd(directory_), "key", 60, 60); }
  EXPECT_FALSE(Marked(db_));
  uint64_t bare = 0;
  EXPECT_TRUE(Summed(FileAt(db_), &bare).empty());
  Rows rows;
  {
    auto backend = Open(db_);
    PutEverythingAgain(backend.get());
    PutEverythingAgain(backend.get());
    rows = Scan(backend.get(), Table::kKey);
    ExpectSound(backend.get());
  }
  EXPECT_TRUE(Marked(db_));
  EXPECT_GT(Summed(FileAt(db_), &bare).size(), 20u);
  EXPECT_EQ(bare, 0u);

  { put(Etcd(directory_), "more", 10, 100); }
  EXPECT_FALSE(Marked(db_));
  std::string file = FileAt(db_);
  const std::vector<uint64_t> summed = Summed(file, &bare);
  EXPECT_GT(summed.size(), 10u);
  EXPECT_GT(bare, 0u);
  // What etcd left alone is still checked.
  const uint64_t offset = summed[summed.size() / 2] * 4096;
  file[offset + 3000] = static_cast<char>(file[offset + 3000] ^ 1);
  const std::string damaged = directory_ + "/damaged";
  ASSERT_TRUE(WriteFileAtomically(Env::Posix(), damaged, file).ok());
  const Status status =
      OpenBtreeBackend(Env::Posix(), damaged, {}, Logger::Null()).status();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_NE(status.message().find("offset " + std::to_string(offset) + ": "),
            std::string::npos);

  std::string expected;
  {
    auto backend = Open(db_);
    ExpectSound(backend.get());
    Rows all = Scan(backend.get(), Table::kKey);
    EXPECT_EQ(all.size(), rows.size() + 10);
    EXPECT_TRUE(std::equal(rows.begin(), rows.end(), all.begin()));
    PutEverythingAgain(backend.get());
    expected = StatusLine(backend.get());
  }
  EXPECT_NE(EtcdctlStatus(db_).find(expected), std::string::npos);
  const Etcd etcd(directory_);
  const std::string count = Output(etcd.Ctl("get --prefix k -w fields"));
  EXPECT_NE(count.find("\"Count\" : 60"), std::string::npos) << count;
}

}  // namespace
}  // namespace strata
