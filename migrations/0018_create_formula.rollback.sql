-- loses: nothing
drop function feature.evaluate(text, jsonb);
drop function feature.reach();
drop function feature.formula(jsonb);
