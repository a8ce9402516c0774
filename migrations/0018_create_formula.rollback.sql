-- loses: nothing
drop function feature.evaluate(text, jsonb, text);
drop function feature.reach();
drop function feature.formula(jsonb);
