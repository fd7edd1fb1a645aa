/* SPDX-License-Identifier: GPL-3.0-or-later
 * tree TOKEN WORD...: do one thing after the other; see trees.py. TOKEN is a file that every process keeps open.
 * fork: go on in the child, the parent exits 0. wait: the parent waits for it and exits as it did. stay: the parent
 * stays for ever. bear: go on in the parent, the child stays. die: go on in the child, the parent exits 1.
 * hop: fork and exit for ever, as fast as it goes for a while and then slower; leap: the same, each in a session of its
 * own. leader: go on in another thread, the first one ends. sibling: go on in a child of our own parent. reaper: adopt
 * the orphans of our own. group: a process group of its own. drop: go on as another user. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static const char *self;

static _Noreturn void live(void) { for (;;) pause(); }
static void *idle(void *nothing) { live(); return nothing; }

static int perform(int count, char **words, int at);
struct rest { int count; char **words; int at; };
static void *go_on(void *rest) {
  struct rest *mine = rest;
  _exit(perform(mine->count, mine->words, mine->at));
}

static void notify(void) {
  const char *where = getenv("NOTIFY_SOCKET");
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  if (!where || strlen(where) >= sizeof to.sun_path) return;
  strcpy(to.sun_path, where);
  if (*where == '@') to.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&to, offsetof(struct sockaddr_un, sun_path) + strlen(where));
  close(fd);
}

static void pidfile(const char *token) {
  char path[4096];
  snprintf(path, sizeof path, "%s.pid", token);
  FILE *file = fopen(path, "w");
  if (file) { fprintf(file, "%d\n", getpid()); fclose(file); }
}

int main(int count, char **words) {
  if (count < 3) return 99;
  const char *token = words[1];
  self = "/proc/self/exe";
  if (fcntl(200, F_GETFD) < 0) {
    int fd = open(token, O_RDONLY | O_CREAT, 0666);
    if (fd < 0 || dup2(fd, 200) < 0) return 98;
    close(fd);
  }
  return perform(count, words, 2);
}

static int perform(int count, char **words, int at) {
  const char *token = words[1];
  for (; at < count; at++) {
    const char *word = words[at];
    pid_t child = 0;
    if (!strcmp(word, "fork") || !strcmp(word, "wait") || !strcmp(word, "stay") || !strcmp(word, "die")) {
      child = fork();
      if (child < 0) return 97;
      if (child > 0) {
        int status = 0;
        if (*word == 'f') _exit(0);
        if (*word == 'd') _exit(1);
        if (*word == 's') live();
        while (waitpid(child, &status, 0) < 0) continue;
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
      }
    } else if (!strcmp(word, "bear")) { if (fork() == 0) live(); }
    else if (!strcmp(word, "sibling")) {
      child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
      if (child < 0) return 97;
      if (child > 0) _exit(0);
    } else if (!strcmp(word, "leader")) {
      static struct rest mine;
      pthread_t one;
      mine = (struct rest){count, words, at + 1};
      if (pthread_create(&one, 0, go_on, &mine)) return 94;
      syscall(SYS_exit, 0); /* pthread_exit loads libgcc meanwhile, and a child forked then may jump into half of it */
    } else if (!strcmp(word, "setsid")) setsid();
    else if (!strcmp(word, "reaper")) prctl(PR_SET_CHILD_SUBREAPER, 1);
    else if (!strcmp(word, "group")) setpgid(0, 0);
    else if (!strcmp(word, "drop")) { if (setuid(65534)) continue; }
    else if (!strcmp(word, "threads")) { pthread_t one; pthread_create(&one, 0, idle, 0); pthread_create(&one, 0, idle, 0); }
    else if (!strcmp(word, "pause")) usleep(100000);
    else if (!strcmp(word, "ignore")) signal(SIGTERM, SIG_IGN);
    else if (!strcmp(word, "freeze")) raise(SIGSTOP);
    else if (!strcmp(word, "kill")) raise(SIGKILL);
    else if (!strcmp(word, "notify")) notify();
    else if (!strcmp(word, "newline")) { if (write(5, "\n", 1) < 0) continue; }
    else if (!strcmp(word, "pidfile")) pidfile(token);
    else if (!strcmp(word, "listen")) {
      struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
      int fd = socket(AF_INET, SOCK_STREAM, 0);
      if (!bind(fd, (struct sockaddr *)&to, sizeof to)) listen(fd, 5);
    } else if (!strcmp(word, "exec") || !strcmp(word, "clear")) {
      static char *none[] = {0};
      char *rest[64] = {words[0], words[1]};
      int n = 2;
      for (int from = at + 1; from < count && n < 63; from++) rest[n++] = words[from];
      if (n == 2) live();
      execve(self, rest, *word == 'c' ? none : environ);
      return 96;
    } else if (!strncmp(word, "exit=", 5)) _exit(atoi(word + 5));
    else if (!strcmp(word, "hop") || !strcmp(word, "leap")) {
      for (long hops = 0;; hops++) {
        if (*word == 'l') setsid();
        child = fork();
        if (child > 0) _exit(0);
        if (child < 0) _exit(1);
        usleep(hops < 200 ? 0 : 20000);
      }
    } else if (!strcmp(word, "live")) live();
    else return 95;
  }
  live();
}
