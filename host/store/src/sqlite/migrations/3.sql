-- When the first attempt of a run began, if the latest one is another.
ALTER TABLE runs ADD COLUMN began INTEGER;
UPDATE runs
    SET began = (SELECT min(earlier_attempts.began) FROM earlier_attempts WHERE earlier_attempts.run = runs.run)
    WHERE starts > 1;
