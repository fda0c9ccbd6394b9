SELECT `each`.`place`, count(*) AS `count_1` 
FROM (SELECT CASE WHEN (`logs`.`predictions`.`naive` < TIMESTAMP_NTZ '2013-04-01 07:00:00') THEN 0 ELSE CASE WHEN (`logs`.`predictions`.`naive` < TIMESTAMP_NTZ '2013-04-01 08:00:00') THEN 1 ELSE 2 END END AS `place` 
FROM `logs`.`predictions` 
WHERE `logs`.`predictions`.`naive` >= TIMESTAMP_NTZ '2013-04-01 06:00:00' AND `logs`.`predictions`.`naive` < TIMESTAMP_NTZ '2013-04-01 09:00:00') AS `each` GROUP BY `each`.`place`;

