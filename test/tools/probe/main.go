// Command probe is the program in a scratch image of the tests: it prints what it was started with.
//
//	probe [-wait] [-exit N] [-- NAME…]
//
// One line tells its process ID, user and group, then comes one line NAME=VALUE for each NAME, or "NAME is unset".
// With -wait it stays until SIGTERM or SIGINT comes, and names it. It ends with status N.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	wait := flag.Bool("wait", false, "stay until a signal comes")
	status := flag.Int("exit", 0, "status to end with")
	flag.Parse()

	fmt.Printf("probe pid=%d uid=%d gid=%d root=%s\n", os.Getpid(), os.Getuid(), os.Getgid(), rootState())
	for _, name := range flag.Args() {
		if value, ok := os.LookupEnv(name); ok {
			fmt.Printf("%s=%s\n", name, value)
		} else {
			fmt.Printf("%s is unset\n", name)
		}
	}
	if *wait {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
		fmt.Println("probe waits")
		fmt.Printf("probe got %v\n", <-signals)
	}
	os.Exit(*status)
}

// rootState tells whether the root file system takes a new file.
func rootState() string {
	file, err := os.Create("/probe-was-here")
	if err != nil {
		return "read-only"
	}
	file.Close()
	return "writable"
}
