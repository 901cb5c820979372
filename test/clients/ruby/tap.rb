# What the programs of Ruby share: TAP, a second session, and waiting for a lock.
require "pg"

$stdout.sync = true

module Tap
  @count = @failed = 0

  class << self
    # One test; its name begins with that of a check (test/clients/checks).
    def ok(good, name)
      @count += 1
      @failed += 1 unless good
      puts "#{good ? 'ok' : 'not ok'} #{@count} - #{name}"
    end

    def same(found, wanted, name)
      ok(found == wanted, name)
      puts "# found:  #{found.inspect}\n# wanted: #{wanted.inspect}" unless found == wanted
    end

    # The error that the block raises, nil if it raises none or another.
    def raises(error, name)
      yield
      ok(false, name)
      nil
    rescue error => raised
      ok(true, name)
      raised
    end

    # For each SQLSTATE of a conflict the block executes a statement; its error is of the class that docs/conflicts-and-retries.md names, and has it there.
    def classes
      ENV.fetch("CLASSES").split.map { |each| each.split("=") }.each do |sqlstate, name|
        error = outcome do
          yield "SELECT CASE WHEN set_config('docstore.conflict_sqlstate', '#{sqlstate}', true) <> ''
                 THEN docstore.upsert('cafes', 'nobody', '{}', 7) END"
        end
        same(error.class.name.split("::").last, name, "class: #{sqlstate} is raised as what the documentation says")
        same(sqlstate_of(error), sqlstate, "class: #{sqlstate} is where the documentation says")
      end
    end

    # The plan, and the exit status.
    def done
      puts "1..#{@count}"
      exit @failed.zero?
    end

    # Runs the block in a thread of its own, and comes back when its session waits for a lock. The value of the thread that it returns is
    # that of the block, or the error that it has raised.
    def waiting
      thread = Thread.new { outcome { yield } }
      watch = PG.connect
      deadline = Time.now + 60
      until watch.exec("SELECT count(*) FROM pg_catalog.pg_stat_activity
                        WHERE wait_event_type = 'Lock' AND datname = current_database()").getvalue(0, 0).to_i.positive?
        raise "nobody waits for a lock: #{thread.value.inspect}" unless thread.alive?
        raise "nobody waits for a lock" if Time.now > deadline
        sleep 0.01
      end
      thread
    ensure
      watch&.close
    end

    # Runs the block in so many threads at once; the errors they end with.
    def at_once(count)
      Array.new(count) { Thread.new { outcome { yield } } }.map(&:value).grep(Exception)
    end

    private

    # An expression of "error", as the documentation has it.
    def sqlstate_of(error)
      error && eval(ENV.fetch("SQLSTATE"), binding)
    end

    def outcome
      yield
    rescue StandardError => error
      error
    end
  end
end
