// SPDX-License-Identifier: BSD-3-Clause
/* authorized_keys: what the owner wrote stays, whatever is added, removed or raced. */
#include "noports/authkeys.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "harness/ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY "ssh-ed25519 AAAAkey"
#define OPTS "command=\"echo \\\"ssh session complete\\\";sleep 20\",PermitOpen=\"localhost:22\""

static char home[64], ssh_dir[96], file[128];
static struct np_authkeys keys;

static void begin(void)
{
	char cmd[128];

	if (home[0]) {
		snprintf(cmd, sizeof(cmd), "rm -rf %s", home);
		if (system(cmd))
			KTAP_FAILF("cannot clean up");
	}
	strcpy(home, "/tmp/np-authkeys-XXXXXX");
	if (!mkdtemp(home))
		exit(1);
	snprintf(ssh_dir, sizeof(ssh_dir), "%s/.ssh", home);
	snprintf(file, sizeof(file), "%s/authorized_keys", ssh_dir);
	mkdir(ssh_dir, 0700);
	np_authkeys_init(&keys, home, NULL);
}

static void put(const char *text, mode_t mode)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	np_fd_write_all(fd, text, strlen(text));
	fchmod(fd, mode);
	np_fd_close(&fd);
}

static void expect(const char *text)
{
	struct np_buf got = NP_BUF_INIT;

	KTAP_EQ(np_file_read(file, 1 << 20, &got, NULL), 0);
	KTAP_STREQ(np_buf_str(&got), text);
	np_buf_fini(&got);
}

static int mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? -1 : (int)(st.st_mode & 07777);
}

static void adds_and_removes(void)
{
	begin();
	put("# mine\nssh-rsa AAAAother me@x\n", 0640);
	KTAP_EQ(np_authkeys_add(&keys, OPTS, KEY, "sshnp_ephemeral_s1", NULL), 0);
	expect("# mine\nssh-rsa AAAAother me@x\n" OPTS " " KEY " sshnp_ephemeral_s1\n");
	KTAP_EQ(mode_of(file), 0640);
	KTAP_EQ(np_authkeys_remove(&keys, "sshnp_ephemeral_s", false, NULL), 0);
	KTAP_EQ(np_authkeys_remove(&keys, "sshnp_ephemeral_s1", false, NULL), 1);
	expect("# mine\nssh-rsa AAAAother me@x\n");
	KTAP_EQ(mode_of(file), 0640);
	KTAP_EQ(np_authkeys_remove(&keys, "sshnp_ephemeral_s1", false, NULL), 0);
}

static void missing_final_newline_and_crlf(void)
{
	begin();
	put("ssh-rsa AAAAa x\r\nssh-rsa AAAAb y", 0600);
	KTAP_EQ(np_authkeys_add(&keys, NULL, KEY, NULL, NULL), 0);
	expect("ssh-rsa AAAAa x\r\nssh-rsa AAAAb y\n" KEY "\n");
	put("k AAAA sshnp_ephemeral_1\r\nssh-rsa AAAAa x\r\nk BBBB sshnp_ephemeral_2  ", 0600);
	KTAP_EQ(np_authkeys_remove(&keys, "sshnp_ephemeral_", true, NULL), 2);
	expect("ssh-rsa AAAAa x\r\n");
}

static void same_key_is_not_added_twice(void)
{
	begin();
	put("# " KEY "\n" KEY "x\n", 0600);
	KTAP_EQ(np_authkeys_add(&keys, NULL, KEY, NULL, NULL), 0);
	KTAP_EQ(np_authkeys_add(&keys, NULL, KEY, NULL, NULL), 0);
	KTAP_EQ(np_authkeys_add(&keys, OPTS, KEY, "other", NULL), 0);
	expect("# " KEY "\n" KEY "x\n" KEY "\n");
}

static void leftovers_are_cleaned_and_nothing_else(void)
{
	begin();
	put(OPTS
	    " k AAAA sshnp_ephemeral_a\n# note sshnp_ephemeral_b\nssh-rsa sshnp_ephemeral_c x\n\n"
	    "sshnp_ephemeral_d\nssh-rsa AAAA xsshnp_ephemeral_e\n" OPTS " k BBBB sshnp_ephemeral_f",
	    0600);
	KTAP_EQ(np_authkeys_remove(&keys, "sshnp_ephemeral_", true, NULL), 2);
	expect("# note sshnp_ephemeral_b\nssh-rsa sshnp_ephemeral_c x\n\nsshnp_ephemeral_d\n"
	       "ssh-rsa AAAA xsshnp_ephemeral_e\n");
}

static void makes_a_missing_file(void)
{
	begin();
	rmdir(ssh_dir);
	KTAP_EQ(np_authkeys_remove(&keys, "x", false, NULL), 0);
	KTAP_EQ(access(ssh_dir, F_OK), -1);
	KTAP_EQ(np_authkeys_add(&keys, NULL, KEY, NULL, NULL), 0);
	expect(KEY "\n");
	KTAP_EQ(mode_of(file), 0600);
	KTAP_EQ(mode_of(ssh_dir), 0700);
}

static void a_link_stays_a_link(void)
{
	char target[128];
	struct stat st;

	begin();
	snprintf(target, sizeof(target), "%s/keys", home);
	put("a b c\n", 0600);
	KTAP_EQ(rename(file, target), 0);
	KTAP_EQ(symlink(target, file), 0);
	KTAP_EQ(np_authkeys_add(&keys, NULL, KEY, NULL, NULL), 0);
	KTAP_OK(!lstat(file, &st) && S_ISLNK(st.st_mode));
	expect("a b c\n" KEY "\n");
	unlink(target);
	KTAP_OK(np_authkeys_add(&keys, NULL, KEY, NULL, NULL) < 0);
	KTAP_EQ(access(target, F_OK), -1);
}

static void refuses_what_sshd_would_ignore(void)
{
	struct np_err err = NP_ERR_INIT;

	begin();
	put("a\n", 0620);
	KTAP_EQ(np_authkeys_add(&keys, NULL, KEY, NULL, &err), -EPERM);
	KTAP_OK(strstr(err.msg, "chmod go-w") != NULL);
	put("a\n", 0600);
	chmod(ssh_dir, 0777);
	KTAP_EQ(np_authkeys_add(&keys, NULL, KEY, NULL, &err), -EPERM);
	chmod(ssh_dir, 0700);
	chmod(home, 0770);
	KTAP_EQ(np_authkeys_add(&keys, NULL, KEY, NULL, &err), -EPERM);
	chmod(home, 0755);
	KTAP_EQ(np_authkeys_add(&keys, NULL, KEY, NULL, &err), 0);
	unlink(file);
	mkdir(file, 0700);
	KTAP_OK(np_authkeys_add(&keys, NULL, KEY, NULL, &err) < 0);
	rmdir(file);
	KTAP_EQ(mkfifo(file, 0600), 0);
	KTAP_EQ(np_authkeys_add(&keys, NULL, KEY, NULL, &err), -EPERM);
}

static void refuses_line_feeds(void)
{
	begin();
	put("a\n", 0600);
	KTAP_EQ(np_authkeys_add(&keys, NULL, KEY "\nssh-rsa evil", NULL, NULL), -EINVAL);
	KTAP_EQ(np_authkeys_add(&keys, "x\r", KEY, NULL, NULL), -EINVAL);
	expect("a\n");
}

static void refuses_a_huge_file(void)
{
	begin();
	put("a\n", 0600);
	KTAP_EQ(truncate(file, (1 << 20) + 1), 0);
	KTAP_EQ(np_authkeys_add(&keys, NULL, KEY, NULL, NULL), -EFBIG);
}

/* Eight processes add and remove at once; every line of the owner is there at the end, and none of
 * ours. */
static void concurrent_edits_lose_nothing(void)
{
	enum { NR = 8, ROUNDS = 10 };
	int i, j, status;
	pid_t pid[NR];

	begin();
	put("owner AAAA line\n", 0600);
	for (i = 0; i < NR; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		for (j = 0; j < ROUNDS; j++) {
			char key[64], mark[64];

			snprintf(key, sizeof(key), "ssh-ed25519 K%dx%d", i, j);
			snprintf(mark, sizeof(mark), "sshnp_ephemeral_%d-%d", i, j);
			if (np_authkeys_add(&keys, OPTS, key, mark, NULL) ||
			    np_authkeys_remove(&keys, mark, false, NULL) != 1)
				_exit(1);
		}
		_exit(0);
	}
	for (i = 0; i < NR; i++)
		KTAP_OK(waitpid(pid[i], &status, 0) == pid[i] && status == 0);
	expect("owner AAAA line\n");
}

static void a_held_lock_is_reported(void)
{
	struct np_err err = NP_ERR_INIT;
	char path[160];
	int fd;

	begin();
	put("a\n", 0600);
	snprintf(path, sizeof(path), "%s/.authorized_keys.np-lock", ssh_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	KTAP_EQ(flock(fd, LOCK_EX), 0);
	KTAP_EQ(np_authkeys_add(&keys, NULL, KEY, NULL, &err), -EBUSY);
	np_fd_close(&fd);
	KTAP_EQ(np_authkeys_add(&keys, NULL, KEY, NULL, &err), 0);
}

int main(void)
{
	KTAP_RUN(adds_and_removes);
	KTAP_RUN(missing_final_newline_and_crlf);
	KTAP_RUN(same_key_is_not_added_twice);
	KTAP_RUN(leftovers_are_cleaned_and_nothing_else);
	KTAP_RUN(makes_a_missing_file);
	KTAP_RUN(a_link_stays_a_link);
	KTAP_RUN(refuses_what_sshd_would_ignore);
	KTAP_RUN(refuses_line_feeds);
	KTAP_RUN(refuses_a_huge_file);
	KTAP_RUN(concurrent_edits_lose_nothing);
	KTAP_RUN(a_held_lock_is_reported);
	begin();
	rmdir(ssh_dir);
	rmdir(home);
	return ktap_done();
}
