// SPDX-License-Identifier: BSD-3-Clause
/*
 * Runs a fuzz target over its seed corpus without libFuzzer: every file of the folder given, whole,
 * and cut and damaged in a fixed way at every byte, so that `make test` meets more than the seeds
 * themselves.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "harness/ktap.h"

#include <dirent.h>
#include <limits.h>
#include <stdint.h>

#define SEED_MAX (64 * 1024)
#define DAMAGE_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *folder;
static unsigned int nr_seeds;

/* The input is always an exact allocation: one byte too far is seen by ASan. */
static void run_exact(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void run_seed(const struct np_buf *seed)
{
	static const uint8_t damage[] = { 0x00, 0xff, '"', '\n', ':' };
	size_t nr = seed->len < DAMAGE_MAX ? seed->len : DAMAGE_MAX, i;
	uint8_t kept;

	run_exact(seed->data, seed->len);
	for (i = 0; i < nr; i++) {
		run_exact(seed->data, i);
		kept = seed->data[i];
		seed->data[i] = damage[i % sizeof(damage)];
		run_exact(seed->data, seed->len);
		seed->data[i] = kept;
	}
}

static void survives_its_corpus(void)
{
	struct np_err err = NP_ERR_INIT;
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *dir;

	dir = opendir(folder);
	if (!dir) {
		KTAP_FAILF("%s: cannot open", folder);
		return;
	}
	while ((entry = readdir(dir))) {
		struct np_buf seed = NP_BUF_INIT;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (np_file_read(path, SEED_MAX, &seed, &err) || !np_buf_reserve(&seed, 0))
			KTAP_FAILF("%s", err.msg);
		else
			run_seed(&seed);
		np_buf_fini(&seed);
		nr_seeds++;
	}
	closedir(dir);
	KTAP_OK(nr_seeds > 0);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}
	folder = argv[1];
	KTAP_RUN(survives_its_corpus);
	return ktap_done();
}
