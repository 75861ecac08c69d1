-- The channel whose event is the cause of a run, if an event is (cause 5). Earlier versions did not keep
-- it.
ALTER TABLE runs ADD COLUMN channel TEXT;
