# shellcheck shell=bash
# What a script runs in the background: each job in a process group of its own, which clean_up ends with all that is in it. A part of lib.sh.

# The leaders of these process groups, and what they are called.
declare -A jobs=()

# start_job NAME COMMAND...: runs it in a process group of its own.
start_job() {
	set -m
	"${@:2}" &
	jobs[$!]=$1
	set +m
}

# wait_for_job: waits until one of them has ended, sets job to its name and returns its status. A signal to us is answered at once.
wait_for_job() {
	local pid status=0
	wait -n -p pid "${!jobs[@]}" || status=$?
	# shellcheck disable=SC2034 # for those who source this file
	job=${jobs[$pid]}
	unset "jobs[$pid]"
	return "$status"
}

# in_background COMMAND...: runs it so, and waits for it. No other job may be running.
in_background() {
	start_job "$1" "$@"
	wait_for_job
}

# run_jobs COUNT COMMAND REPORT NAME...: runs COMMAND NAME for each name, COUNT of them side by side, beginning in this order. When one has
# ended, REPORT NAME STATUS SECONDS says what came of it.
run_jobs() {
	local count=$1 command=$2 report=$3 status
	local -A since=()
	shift 3
	while [ $# != 0 ] || [ ${#jobs[@]} != 0 ]; do
		while [ $# != 0 ] && [ ${#jobs[@]} -lt "$count" ]; do
			since[$1]=$SECONDS
			start_job "$1" "$command" "$1"
			shift
		done
		progress "${jobs[*]} ..."
		status=0
		wait_for_job || status=$?
		progress_done
		"$report" "$job" "$status" $((SECONDS - since[$job]))
	done
}

# Ends all of them.
end_jobs() {
	local pid
	for pid in "${!jobs[@]}"; do kill -TERM -- "-$pid"; done
	for pid in "${!jobs[@]}"; do wait "$pid"; done
}
