SELECT each.place, count(*) AS count_1 
FROM (SELECT CASE WHEN ("logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 11:00:00+00:00') THEN 0 ELSE CASE WHEN ("logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 12:00:00+00:00') THEN 1 ELSE 2 END END AS place 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00') AS each GROUP BY each.place;

