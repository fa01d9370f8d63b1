/* SPDX-License-Identifier: GPL-2.0-only */
/* The events of the core, recorded by an instance of tracefs of our own. */
#ifndef EVL_TEST_TRACEFS_H
#define EVL_TEST_TRACEFS_H

#include "helpers.h"

#define TRACEFS		"/sys/kernel/tracing"
#define INSTANCE	TRACEFS "/instances/evl-test"

/* For the setup and the end of a group of tests. */
static int make_instance(void **state)
{
	(void)state;
	rmdir(INSTANCE);
	return mkdir(INSTANCE, 0700);
}

static int remove_instance(void **state)
{
	(void)state;
	/* It takes a moment until nobody uses it. */
	for (int tries = 0; rmdir(INSTANCE); tries++) {
		if (tries > 1000)
			return -1;
		nap();
	}
	return 0;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* @event is the name of one, or "" for all. */
static void set_event(const char *event, bool on)
{
	char path[160];

	snprintf(path, sizeof(path), INSTANCE "/events/evl/%s%senable", event, *event ? "/" : "");
	check_ok(write_file(path, on ? "1" : "0"));
}

__attribute__((unused))
static void start_recording(const char *event)
{
	set_event("", false);
	check_ok(write_file(INSTANCE "/trace", ""));
	check_ok(write_file(INSTANCE "/tracing_on", "1"));
	set_event(event, true);
}

/* What was recorded since, as text; all events are off then. */
__attribute__((unused))
static char *stop_recording(void)
{
	static char text[4 * 1024 * 1024];
	size_t len = 0;
	ssize_t ret;
	int fd;

	set_event("", false);
	fd = check_sys(open(INSTANCE "/trace", O_RDONLY | O_CLOEXEC));
	while ((ret = check_sys(read(fd, text + len, sizeof(text) - 1 - len))) > 0)
		len += ret;
	close(fd);
	text[len] = '\0';
	return text;
}

/* The first line of @event, from @text on, which has each of the words up to NULL; NULL if there is none. A newline is
 * part of it. */
__attribute__((unused, sentinel))
static char *find_event(char *text, const char *event, ...)
{
	char line[1024], tag[64];
	const char *word;
	va_list ap;
	char *end;

	snprintf(tag, sizeof(tag), " %s: ", event);
	for (; *text; text = *end ? end + 1 : end) {
		end = strchrnul(text, '\n');
		snprintf(line, sizeof(line), "%.*s\n", (int)(end - text), text);
		if (*text == '#' || !strstr(line, tag))
			continue;
		va_start(ap, event);
		do
			word = va_arg(ap, const char *);
		while (word && strstr(line, word));
		va_end(ap);
		if (!word)
			return text;
	}
	return NULL;
}

/* Says in a failure what there was instead. */
#define check_event(__text, __event, ...)						\
	({										\
		char *__line = find_event(__text, __event, ##__VA_ARGS__, NULL);	\
		if (!__line) {								\
			char *__other = find_event(__text, __event, NULL);		\
			check_fail("no such %s: %s; but %.160s", __event, #__VA_ARGS__,	\
				   __other ? __other : "none at all");			\
		}									\
		__line;									\
	})
#define check_no_event(__text, __event, ...)						\
	check(!find_event(__text, __event, ##__VA_ARGS__, NULL))

__attribute__((unused))
static int count_events(char *text)
{
	int count = 0;

	for (char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (*line != '#')
			count++;
	return count;
}

#endif /* !EVL_TEST_TRACEFS_H */
