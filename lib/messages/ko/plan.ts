/** What a plan says, in Korean. */
export const plan = {
  'GPUs are planned in bfloat16, and the recipe says model.dtype: float32, which takes twice the memory and more than twice the time there; set model.dtype: bfloat16':
    'GPU는 bfloat16으로 계획하는데 레시피의 model.dtype은 float32입니다. 거기서는 메모리가 두 배, 시간은 두 배 넘게 듭니다. model.dtype: bfloat16으로 하세요',
  'weights ({type})': '가중치 ({type})',
  'master remainder (16 bit)': '마스터의 나머지 (16비트)',
  'moments ({type})': '모멘트 ({type})',
  '8 bit': '8비트',
  'gradients ({type})': '그래디언트 ({type})',
  'reference weights ({type})': '참조 모델 가중치 ({type})',
  'packed copy for sampling': '샘플링용 재배열 사본',
  'activations (recompute: {recompute})': '활성값 (recompute: {recompute})',
  'LM head': 'LM 헤드',
  'transfers of ranks': '랭크 사이의 전송 버퍼',
  'context and workspaces': '컨텍스트와 작업 공간',
  'exchange of gradients': '그래디언트 교환',
  'all-gather of the sums': '합의 all-gather',
  'all-gather of weights, with remainders': '나머지를 포함한 가중치의 all-gather',
  'all-gather of weights, forward and backward': '순방향과 역방향의 가중치 all-gather',
  'all-gather of weights for sampling, with remainders':
    '샘플링을 위한 가중치의 all-gather (나머지 포함)',
  'in all, in training': '학습 중 합계',
  '{size} of {capacity}': '{capacity} 중 {size}',
  'left for keys and values in sampling': '샘플링 때 키와 값에 남는 자리',
  '{size}, {tokens} tokens': '{size}, 토큰 {tokens}개',
  '{size} a step': '스텝마다 {size}',
  'a sample, on the average': '샘플 하나의 평균',
  '{tokens} tokens, {trained} trained': '토큰 {tokens}개, 그중 {trained}개 학습',
  'prompt {prompt} tokens, completion {completion} tokens':
    '프롬프트 토큰 {prompt}개, 응답 토큰 {completion}개',
  sampling: '샘플링',
  training: '학습',
  optimizer: '옵티마이저',
  'exposed communication': '가려지지 않은 통신',
  'measuring on this processor: {stage}, {what}': '이 프로세서에서 재는 중: {stage}, {what}',
  'a step': '한 스텝',
  '{tokens} tokens; the time was not measured': '토큰 {tokens}개. 시간은 재지 않았습니다',
  '{seconds}, {tokens} tokens, {speed} tokens/s': '{seconds}, 토큰 {tokens}개, 초당 토큰 {speed}개',
  '{seconds} s': '{seconds}초',
  never: '끝나지 않음',
  '{stage}: shard {shard}, recompute {recompute}, micro-batch of {batch}':
    '{stage}: shard {shard}, recompute {recompute}, 마이크로배치 {batch}',
  'training at {percent} % of the peak': '학습은 최고 성능의 {percent} %',
  '{nodes} nodes of {ranks}': '노드 {nodes}대에 {ranks}개씩',
  '{where} × {name}, {memory} each': '{where} × {name}, 각 {memory}',
  'time from a part of the model, measured here': '시간은 모델의 일부를 여기서 재어 계산',
  'predicted, not measured': '예측값, 측정하지 않음',
  'needs {size} of {capacity} (largest: {items})':
    '{capacity} 가운데 {size} 필요 (가장 큰 것: {items})',
  'leaves no room for the keys and values of one completion':
    '응답 하나의 키와 값이 들어갈 자리도 남지 않음',
  'the nearest that fits: shard {shard}, recompute {recompute}, per_device_train_batch_size {batch}':
    '들어가는 가장 가까운 설정: shard {shard}, recompute {recompute}, per_device_train_batch_size {batch}',
  'no setting makes it fit: take more or larger devices, shorter sequences or a smaller model':
    '어떤 설정으로도 들어가지 않습니다. 장치를 늘리거나 더 큰 장치, 더 짧은 시퀀스, 더 작은 모델을 쓰세요',
} as const
